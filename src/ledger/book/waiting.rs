//! The joint accounts that wait for their holders, found by number, key, holder and age.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ids::BankId;
use crate::ledger::account::AccountNumber;
use crate::ledger::customer::UserName;
use crate::ledger::joint::JointRequest;
use crate::ledger::pix::PixKey;

/// Where an account is going to be.
pub(super) type Place = (BankId, AccountNumber);

/// All of them, as a snapshot has them.
pub(super) type Requests = Arc<BTreeMap<Place, JointRequest>>;

/// The requests and what they are found by.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    /// Shared with snapshots that are being written.
    requests: Requests,
    keys: BTreeSet<PixKey>,
    by_holder: BTreeSet<(UserName, Place)>,
    by_opener: BTreeSet<(UserName, Place)>,
    by_end: BTreeSet<(i64, Place)>,
}

impl Waiting {
    /// What a snapshot has.
    pub(super) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// The request for the account of this number.
    pub(super) fn get(&self, place: Place) -> Option<&JointRequest> {
        self.requests.get(&place)
    }

    /// Whether an account that waits is going to have this key.
    pub(super) fn has_key(&self, key: &PixKey) -> bool {
        self.keys.contains(key)
    }

    /// How many requests a customer has made.
    pub(super) fn opened_by(&self, user_name: &UserName) -> usize {
        places(&self.by_opener, user_name).count()
    }

    /// The requests for accounts that a customer is going to hold.
    pub(super) fn of<'a>(
        &'a self,
        user_name: &'a UserName,
    ) -> impl Iterator<Item = &'a JointRequest> {
        places(&self.by_holder, user_name).filter_map(|place| self.requests.get(&place))
    }

    /// Adds a request whose number and key are free.
    pub(super) fn add(&mut self, request: JointRequest) {
        let place = (request.bank, request.number);
        self.keys.insert(request.key.clone());
        self.by_opener.insert((request.opener().clone(), place));
        self.by_end.insert((request.ends_age_ms, place));
        for holder in &request.holders {
            self.by_holder.insert((holder.clone(), place));
        }
        Arc::make_mut(&mut self.requests).insert(place, request);
    }

    /// A holder accepts.
    pub(super) fn accept(&mut self, place: Place, by: &UserName) {
        let requests = Arc::make_mut(&mut self.requests);
        let request = requests.get_mut(&place).expect("who accepts was asked");
        let at = request.holders.iter().position(|holder| holder == by);
        request.accepted[at.expect("who accepts is going to hold the account")] = true;
    }

    /// Takes a request away: its account opens, or never will.
    pub(super) fn end(&mut self, place: Place) {
        if !self.requests.contains_key(&place) {
            return;
        }
        let ended = Arc::make_mut(&mut self.requests).remove(&place);
        let request = ended.expect("it has just been found");
        self.keys.remove(&request.key);
        self.by_opener.remove(&(request.opener().clone(), place));
        self.by_end.remove(&(request.ends_age_ms, place));
        for holder in &request.holders {
            self.by_holder.remove(&(holder.clone(), place));
        }
    }

    /// Ends what has waited long enough.
    pub(super) fn forget(&mut self, age_ms: i64) {
        while let Some((_, place)) = self.by_end.first().copied().filter(|(end, _)| *end <= age_ms)
        {
            self.end(place);
        }
    }
}

fn places(of: &BTreeSet<(UserName, Place)>, user_name: &UserName) -> impl Iterator<Item = Place> {
    let least = AccountNumber::LEAST;
    let first = (user_name.clone(), (BankId(0), least));
    let user_name = user_name.clone();
    of.range(first..).take_while(move |(name, _)| *name == user_name).map(|(_, place)| *place)
}
