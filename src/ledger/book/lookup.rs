//! Who and what is there: entering customers and accounts, and finding them by each of their names.

use super::Book;
use super::change::{AccountSlot, Rekeyed};
use super::{Record, chunks::Chunks};
use crate::ids::BankId;
use crate::ledger::account::{Account, AccountNumber};
use crate::ledger::closing::End;
use crate::ledger::customer::{Customer, Document, UserName};
use crate::ledger::limits::{Limits, Spendings};
use crate::ledger::outcome::Refusal;
use crate::ledger::password_hash::PasswordHash;
use crate::ledger::pix::PixKey;
use crate::ledger::profile::ProfileChange;

/// A place in one of the vectors, as an index keeps it.
fn place(place: usize) -> u32 {
    u32::try_from(place).expect("four thousand million customers do not fit into memory")
}

fn user_name(customers: &Chunks<Record>, place: u32) -> &str {
    customers[place as usize].customer.user_name.as_str()
}

fn look(customers: &Chunks<Record>, place: u32) -> String {
    customers[place as usize].customer.user_name.look()
}

fn document(customers: &Chunks<Record>, place: u32) -> &str {
    customers[place as usize].customer.num_cadastro.as_str()
}

fn number(accounts: &Chunks<Account>, place: u32) -> (BankId, AccountNumber) {
    let account = &accounts[place as usize];
    (account.bank, account.number)
}

fn key(accounts: &Chunks<Account>, place: u32) -> &str {
    accounts[place as usize].key.as_str()
}

impl Record {
    /// A customer without accounts.
    fn of(customer: Customer) -> Record {
        let (accounts, spendings) = (Box::default(), Spendings::default());
        Record { customer, accounts, limits: None, spendings, profile: None }
    }
}

/// Entering.
impl Book {
    /// Makes room in an empty book.
    pub(super) fn reserve(&mut self, customers: usize, accounts: usize) {
        self.by_user_name.reserve(customers);
        self.by_look.reserve(customers);
        self.by_document.reserve(customers);
        self.by_number.reserve(accounts);
        self.by_key.reserve(accounts);
    }

    /// Enters a customer whose user name and document nobody has.
    pub(super) fn enter(&mut self, customer: Customer) {
        let is_new = self.enter_if_new(customer);
        assert!(is_new, "the rules of registration let nobody in twice");
    }

    /// Returns whether the customer's user name and document were new. If they were not, the book
    /// is of no use any more.
    #[must_use]
    pub(super) fn enter_if_new(&mut self, customer: Customer) -> bool {
        let at = place(self.customers.push(Record::of(customer)));
        let customers = &self.customers;
        let name_at = |place| user_name(customers, place);
        let (name, document_of) = (name_at(at), |place| document(customers, place));
        let its_document = document_of(at);
        self.by_look.insert(&look(customers, at), at, |place| look(customers, place));
        self.by_user_name.insert_new(&name, at, |place| name_at(place) == name, name_at)
            && self.by_document.insert_new(
                &its_document,
                at,
                |place| document_of(place) == its_document,
                document_of,
            )
    }

    pub(super) fn set_password(&mut self, name: &UserName, password_hash: PasswordHash) {
        let at = self.place_of(name).expect("who changes a password is a customer");
        self.record_at(at).customer.password_hash = password_hash;
    }

    pub(super) fn set_limits(&mut self, name: &UserName, limits: Limits) {
        let at = self.place_of(name).expect("who changes limits is a customer");
        self.record_at(at).limits = (!limits.are_none()).then(|| Box::new(limits));
    }

    pub(super) fn call(&mut self, name: &UserName, change: &ProfileChange) {
        let at = self.place_of(name).expect("who calls something is a customer");
        let record = self.record_at(at);
        let mut profile = record.profile.take().unwrap_or_default();
        profile.change(change);
        record.profile = (!profile.is_empty()).then_some(profile);
    }

    /// An account that is closed has no keys.
    pub(super) fn end_account(&mut self, slot: AccountSlot, end: Option<End>) {
        if matches!(end, Some(End::Closed(_))) {
            self.change_keys(slot, Vec::clear);
        }
        let account = self.accounts.get_mut(slot.index()).expect("the account is there");
        account.end = end.map(Box::new);
    }

    pub(super) fn record_at(&mut self, place: u32) -> &mut Record {
        self.customers.get_mut(place as usize).expect("who is indexed is there")
    }

    /// Opens an account whose holders are customers, and whose number and keys nobody has.
    pub(super) fn open(&mut self, account: Account) -> AccountSlot {
        let place_of = |holder| self.place_of(holder).expect("holders are customers");
        let holders: Vec<_> = account.holders.iter().map(place_of).collect();
        self.open_if_new(account, &holders).expect("the rules of opening give nothing away twice")
    }

    /// Opens an account for the customers at these places; `None` if its number or its oldest key
    /// are another's. Then the book is of no use any more.
    #[must_use]
    pub(super) fn open_if_new(&mut self, account: Account, holders: &[u32]) -> Option<AccountSlot> {
        let slot = AccountSlot::new(self.accounts.end());
        for at in holders {
            let accounts = &self.accounts;
            let record = self.customers.get_mut(*at as usize).expect("who is indexed is there");
            let before = |other: &AccountSlot| accounts[other.index()].bank <= account.bank;
            let place = record.accounts.partition_point(before);
            let (before, after) = record.accounts.split_at(place);
            record.accounts = [before, &[slot], after].concat().into();
        }
        let at = place(self.accounts.push(account));
        let accounts = &self.accounts;
        let number_at = |place| number(accounts, place);
        let its_number = number_at(at);
        let is_new = self.by_number.insert_new(
            &its_number,
            at,
            |place| number_at(place) == its_number,
            number_at,
        );
        (self.index_keys(slot) && is_new).then_some(slot)
    }

    /// Makes the account be found by its keys; returns whether they were nobody's.
    fn index_keys(&mut self, slot: AccountSlot) -> bool {
        let (accounts, account) = (&self.accounts, &self.accounts[slot.index()]);
        let mut are_new = true;
        if account.keys().next() == Some(&account.key) {
            let (at, oldest) = (slot.place(), account.key.as_str());
            let key_at = |place| key(accounts, place);
            are_new = !self.by_more_keys.contains_key(&account.key)
                && self.by_key.insert_new(&oldest, at, |place| key_at(place) == oldest, key_at);
        }
        for more in &account.more_keys {
            are_new &= self.by_more_keys.insert(more.clone(), slot).is_none();
        }
        are_new
    }

    /// The opposite, before its keys change.
    fn forget_keys(&mut self, slot: AccountSlot) {
        let account = &self.accounts[slot.index()];
        self.by_key.remove(&account.key.as_str(), |place| place == slot.place());
        for more in &account.more_keys {
            self.by_more_keys.remove(more);
        }
    }

    /// Takes a key from one account and gives it to another.
    pub(super) fn rekey(&mut self, Rekeyed { key, from, to }: Rekeyed) {
        if let Some(from) = from {
            self.change_keys(from, |keys| keys.retain(|other| *other != key));
        }
        if let Some(to) = to {
            self.change_keys(to, |keys| keys.push(key));
        }
    }

    pub(super) fn change_keys(&mut self, slot: AccountSlot, change: impl FnOnce(&mut Vec<PixKey>)) {
        self.forget_keys(slot);
        let account = self.accounts.get_mut(slot.index()).expect("the account is open");
        let mut keys = account.keys().cloned().collect();
        change(&mut keys);
        account.set_keys(keys);
        let are_new = self.index_keys(slot);
        assert!(are_new, "the rules of keys give none away twice");
    }
}

/// Finding.
impl Book {
    fn place_of(&self, name: &UserName) -> Option<u32> {
        let is_it = |place| user_name(&self.customers, place) == name.as_str();
        self.by_user_name.find(&name.as_str(), is_it)
    }

    /// A customer's place, and what is known of them.
    pub(super) fn numbered_record(&self, name: &UserName) -> Option<(u32, &Record)> {
        let place = self.place_of(name)?;
        Some((place, self.customers.get(place as usize)?))
    }

    /// A customer and their accounts.
    pub(super) fn record(&self, name: &UserName) -> Option<&Record> {
        self.place_of(name).and_then(|place| self.customers.get(place as usize))
    }

    /// Whether somebody's user name looks like this one.
    pub(super) fn knows_look(&self, name: &UserName) -> bool {
        let sought = name.look();
        self.by_look.find(&sought, |place| look(&self.customers, place) == sought).is_some()
    }

    /// The customer who logs in under this name, however its letters are written, as long as there
    /// is only one: names in older journals may differ by case alone.
    #[must_use]
    pub(crate) fn customer_typed(&self, name: &UserName) -> Option<&Customer> {
        self.customer(name).or_else(|| {
            let (mut found, sought) = (Vec::new(), name.look());
            self.by_look.each(&sought, |place| {
                let customer = self.customers.get(place as usize).map(|held| &held.customer);
                let is_it = |customer: &&Customer| {
                    customer.user_name.as_str().eq_ignore_ascii_case(name.as_str())
                };
                found.extend(customer.filter(is_it));
            });
            found.first().copied().filter(|_| found.len() == 1)
        })
    }

    /// Whether somebody has registered with this document.
    pub(super) fn knows_document(&self, sought: &Document) -> bool {
        let is_it = |place| document(&self.customers, place) == sought.as_str();
        self.by_document.find(&sought.as_str(), is_it).is_some()
    }

    /// The account of this number at a bank.
    pub(super) fn slot(&self, bank: BankId, sought: AccountNumber) -> Option<AccountSlot> {
        let is_it = |place| number(&self.accounts, place) == (bank, sought);
        let found = self.by_number.find(&(bank, sought), is_it);
        found.map(|place| AccountSlot::new(place as usize))
    }

    /// The account that is paid by a key.
    pub(super) fn slot_by_key(&self, sought: &PixKey) -> Option<AccountSlot> {
        let is_it = |place| key(&self.accounts, place) == sought.as_str();
        let found = self.by_key.find(&sought.as_str(), is_it);
        let found = found.map(|place| AccountSlot::new(place as usize));
        found.or_else(|| self.by_more_keys.get(sought).copied())
    }

    /// The account that a payer means: by one of its keys, or by its number.
    pub(super) fn slot_paid_by(&self, named: &PixKey) -> Option<AccountSlot> {
        let slot = match AccountNumber::named_by(named) {
            Some(number) => self.slot(named.bank(), number),
            None => self.slot_by_key(named),
        };
        slot.filter(|slot| !self[*slot].is_closed())
    }

    /// The customer of this user name.
    #[must_use]
    pub fn customer(&self, user_name: &UserName) -> Option<&Customer> {
        self.record(user_name).map(|record| &record.customer)
    }

    pub(super) fn known_customer(&self, user_name: &UserName) -> Result<&Customer, Refusal> {
        self.customer(user_name).ok_or_else(|| Refusal::UnknownCustomer(user_name.clone()))
    }

    /// The account of this number at a bank.
    #[must_use]
    pub fn account(&self, bank: BankId, number: AccountNumber) -> Option<&Account> {
        self.slot(bank, number).map(|slot| &self[slot])
    }

    /// The account at a place in the order of openings, from 0.
    #[must_use]
    pub(crate) fn account_at(&self, place: u32) -> Option<&Account> {
        self.accounts.get(place as usize)
    }

    /// All accounts in opening order.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter()
    }

    /// The open accounts that a customer holds, alone or with others, by bank and then in opening
    /// order.
    pub(crate) fn accounts_of<'a>(
        &'a self,
        user_name: &UserName,
    ) -> impl Iterator<Item = &'a Account> + use<'a> {
        let held = self.record(user_name).map(|record| &*record.accounts);
        let all = held.unwrap_or_default().iter().map(|slot| &self[*slot]);
        all.filter(|account| !account.is_closed())
    }

    /// How many accounts a customer holds or held until they were closed.
    pub(crate) fn accounts_ever(&self, user_name: &UserName) -> usize {
        self.record(user_name).map_or(0, |record| record.accounts.len())
    }

    /// The accounts that a customer held until they were closed.
    pub(crate) fn closed_accounts_of<'a>(
        &'a self,
        user_name: &UserName,
    ) -> impl Iterator<Item = &'a Account> + use<'a> {
        let held = self.record(user_name).map(|record| &*record.accounts);
        let all = held.unwrap_or_default().iter().map(|slot| &self[*slot]);
        all.filter(|account| account.is_closed())
    }

    /// Who is paid by a key: the account and the customer who opened it.
    #[must_use]
    pub fn pix(&self, key: &PixKey) -> Option<(&Account, &Customer)> {
        let account = &self[self.slot_paid_by(key)?];
        Some((
            account,
            self.customer(account.opener()).expect("who opened an account is a customer"),
        ))
    }
}
