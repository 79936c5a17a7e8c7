//! The connections of one worker: how many there may be of each kind, and which of them ends when
//! there is no room for another. No I/O, no clock.
//!
//! A connection that has not asked anything is a stranger's, and whoever calls must be let in as a
//! stranger: peers use the same port as customers. So there is a fixed number of places for
//! strangers, of which the newest keep theirs, and another for customers; a connection that has
//! proved to be a peer's is counted in neither.

use std::collections::BTreeMap;

use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::limits::Origin;
use crate::protocol::time::Millis;

/// After how long without a request a customer's connection ends, in milliseconds: a little more
/// than the server's own limit, for those that sent half a request.
const IDLE_MS_MAX: Millis = 90_000;
/// After how long a stranger's connection ends, in milliseconds: a little more than the server's
/// own limit.
const STRANGE_MS_MAX: Millis = 15_000;
/// For how long a customer's request is worth more than another customer's connection, in
/// milliseconds: longer than any answer takes that is not a stream.
const BUSY_MS_MAX: Millis = 60_000;

/// What the system calls a connection; of two that are open, never the same.
pub(super) type Number = i32;

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) strangers_max: usize,
    pub(super) customers_max: usize,
    /// From one address that is limited.
    pub(super) per_address_max: usize,
}

/// Why there is no room for a customer's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crowd {
    /// The bank has as many as it may, and all of them wait for answers.
    Customers,
    /// So has the customer's address.
    OneAddress,
}

struct Connection {
    /// Where it comes from, if that is limited.
    from: Option<Origin>,
    /// How many of its requests are being answered.
    requests: usize,
    /// When it was opened, began to wait for an answer, or was last answered.
    since: Millis,
    /// Dropping it ends the connection.
    _stay: Sender<()>,
}

impl Connection {
    /// Whether it may have to make room for another, and from when on it could.
    fn gives_way(&self, now: Millis) -> bool {
        self.requests == 0 || now.saturating_sub(self.since) > BUSY_MS_MAX
    }
}

/// Who is connected to one worker.
pub(super) struct Connections {
    bounds: Bounds,
    strangers: BTreeMap<Number, Connection>,
    customers: BTreeMap<Number, Connection>,
    peers: BTreeMap<Number, Connection>,
    /// How many connections customers have from each limited address.
    per_address: BTreeMap<Origin, usize>,
}

impl Connections {
    pub(super) fn new(bounds: Bounds) -> Self {
        Connections {
            bounds,
            strangers: BTreeMap::new(),
            customers: BTreeMap::new(),
            peers: BTreeMap::new(),
            per_address: BTreeMap::new(),
        }
    }

    /// Somebody has connected; the receiver resolves when the connection has to end.
    pub(super) fn enter(
        &mut self,
        number: Number,
        from: Option<Origin>,
        now: Millis,
    ) -> Receiver<()> {
        let (stay, ends) = channel();
        let connection = Connection { from, requests: 0, since: now, _stay: stay };
        self.strangers.insert(number, connection);
        if self.strangers.len() > self.bounds.strangers_max {
            let oldest = self.strangers.iter().min_by_key(|(_, connection)| connection.since);
            if let Some(oldest) = oldest.map(|(number, _)| *number) {
                self.strangers.remove(&oldest);
            }
        }
        ends
    }

    /// A connection carries a request, from a peer or else from a customer.
    pub(super) fn begin(
        &mut self,
        number: Number,
        is_peer: bool,
        now: Millis,
    ) -> Result<(), Crowd> {
        if is_peer && let Some(connection) = self.take(number) {
            self.peers.insert(number, connection);
        } else if let Some(stranger) = self.strangers.get(&number) {
            self.make_room(stranger.from, now)?;
            let connection = self.strangers.remove(&number);
            if let Some(connection) = connection {
                if let Some(from) = connection.from {
                    *self.per_address.entry(from).or_default() += 1;
                }
                self.customers.insert(number, connection);
            }
        }
        if let Some(connection) = self.find(number) {
            connection.requests += 1;
            connection.since = now;
        }
        Ok(())
    }

    /// One of a connection's requests has been answered.
    pub(super) fn finish(&mut self, number: Number, now: Millis) {
        if let Some(connection) = self.find(number) {
            connection.requests = connection.requests.saturating_sub(1);
            connection.since = now;
        }
    }

    /// A connection has ended.
    pub(super) fn leave(&mut self, number: Number) {
        self.take(number);
    }

    /// Ends the connections that have been quiet for too long.
    pub(super) fn sweep(&mut self, now: Millis) {
        let quiet = |connection: &Connection, ms_max| {
            connection.requests == 0 && now.saturating_sub(connection.since) > ms_max
        };
        let strangers = self.strangers.iter().filter(|(_, it)| quiet(it, STRANGE_MS_MAX));
        let customers = self.customers.iter().filter(|(_, it)| quiet(it, IDLE_MS_MAX));
        let overdue: Vec<_> = strangers.chain(customers).map(|(number, _)| *number).collect();
        overdue.into_iter().for_each(|number| self.leave(number));
    }

    fn make_room(&mut self, from: Option<Origin>, now: Millis) -> Result<(), Crowd> {
        let of_address = from.and_then(|from| self.per_address.get(&from)).copied().unwrap_or(0);
        if from.is_some() && of_address >= self.bounds.per_address_max {
            let quietest = self.quietest(|connection| connection.from == from, now);
            self.leave(quietest.ok_or(Crowd::OneAddress)?);
        }
        if self.customers.len() >= self.bounds.customers_max {
            let quietest = self.quietest(|_| true, now);
            self.leave(quietest.ok_or(Crowd::Customers)?);
        }
        Ok(())
    }

    /// The customer's connection that can best be spared: first those without a request.
    fn quietest(&self, which: impl Fn(&Connection) -> bool, now: Millis) -> Option<Number> {
        let spared = self.customers.iter().filter(|(_, it)| which(it) && it.gives_way(now));
        spared.min_by_key(|(_, it)| (it.requests > 0, it.since)).map(|(number, _)| *number)
    }

    fn find(&mut self, number: Number) -> Option<&mut Connection> {
        let strange = self.strangers.get_mut(&number);
        strange.or_else(|| self.customers.get_mut(&number)).or_else(|| self.peers.get_mut(&number))
    }

    fn take(&mut self, number: Number) -> Option<Connection> {
        let customer = self.customers.remove(&number);
        if let Some(from) = customer.as_ref().and_then(|customer| customer.from)
            && let Some(count) = self.per_address.get_mut(&from)
        {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&from);
            }
        }
        customer.or_else(|| self.strangers.remove(&number)).or_else(|| self.peers.remove(&number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { strangers_max: 2, customers_max: 4, per_address_max: 2 };

    struct Guest {
        number: Number,
        ends: Receiver<()>,
    }

    impl Guest {
        fn is_ended(&mut self) -> bool {
            self.ends.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Closed)
        }
    }

    fn address(last: u8) -> Option<Origin> {
        Origin::of([192, 0, 2, last].into(), false)
    }

    fn come(connections: &mut Connections, number: Number, from: u8) -> Guest {
        let ends = connections.enter(number, address(from), Millis::from(from));
        Guest { number, ends }
    }

    /// Customers of different addresses, the first at the time of their number.
    fn customers(connections: &mut Connections, count: u8) -> Vec<Guest> {
        let mut guests = Vec::new();
        for number in 1..=count {
            let guest = come(connections, number.into(), number);
            assert_eq!(connections.begin(guest.number, false, number.into()), Ok(()));
            connections.finish(guest.number, number.into());
            guests.push(guest);
        }
        guests
    }

    #[test]
    fn strangers_make_room_for_newer_strangers_and_take_none_from_customers_or_peers() {
        let mut connections = Connections::new(BOUNDS);
        let mut peer = come(&mut connections, 100, 1);
        connections.begin(100, true, 0).unwrap();
        let mut settled = customers(&mut connections, 4);
        let mut strangers: Vec<_> =
            (0..10).map(|n| come(&mut connections, 200 + n, 10 + n as u8)).collect();
        let ended: Vec<_> = strangers.iter_mut().map(Guest::is_ended).collect();
        assert_eq!(ended, [vec![true; 8], vec![false; 2]].concat());
        assert!(!peer.is_ended() && !settled.iter_mut().any(Guest::is_ended));
    }

    #[test]
    fn a_peer_finds_room_among_any_number_of_customers_with_requests() {
        let mut connections = Connections::new(BOUNDS);
        let mut settled = customers(&mut connections, 4);
        (1..=4).for_each(|number| connections.begin(number, false, 5).unwrap());
        let _late = come(&mut connections, 5, 5);
        assert_eq!(connections.begin(5, false, 6), Err(Crowd::Customers));
        let mut peer = come(&mut connections, 6, 6);
        assert_eq!(connections.begin(6, true, 6), Ok(()));
        assert!(!peer.is_ended() && !settled.iter_mut().any(Guest::is_ended));
    }

    #[test]
    fn the_customer_who_has_been_quiet_for_longest_makes_room_for_a_new_one() {
        let mut connections = Connections::new(BOUNDS);
        let mut settled = customers(&mut connections, 4);
        connections.begin(1, false, 5).unwrap();
        let mut fifth = come(&mut connections, 5, 5);
        assert_eq!(connections.begin(5, false, 6), Ok(()));
        let ended: Vec<_> = settled.iter_mut().map(Guest::is_ended).collect();
        assert_eq!(ended, [false, true, false, false], "the first waits for an answer");
        assert!(!fifth.is_ended());
    }

    #[test]
    fn an_answer_that_is_never_read_gives_way_after_a_while() {
        let mut connections = Connections::new(BOUNDS);
        let mut settled = customers(&mut connections, 4);
        (1..=4).for_each(|number| connections.begin(number, false, 10).unwrap());
        let _fifth = come(&mut connections, 5, 5);
        assert_eq!(connections.begin(5, false, 10 + BUSY_MS_MAX), Err(Crowd::Customers));
        assert_eq!(connections.begin(5, false, 11 + BUSY_MS_MAX), Ok(()));
        assert!(settled[0].is_ended() && !settled[1].is_ended());
    }

    #[test]
    fn an_address_has_a_bound_of_its_own_unless_it_is_not_limited() {
        let mut connections = Connections::new(BOUNDS);
        let mut same: Vec<_> = (1..=2).map(|number| come(&mut connections, number, 7)).collect();
        (1..=2).for_each(|number| connections.begin(number, false, 1).unwrap());
        let _third = come(&mut connections, 3, 7);
        assert_eq!(connections.begin(3, false, 2), Err(Crowd::OneAddress));
        connections.finish(1, 3);
        assert_eq!(connections.begin(3, false, 4), Ok(()));
        assert!(same[0].is_ended() && !same[1].is_ended());
        connections.leave(2);
        connections.leave(3);
        assert!(connections.per_address.is_empty());
        for number in 10..13 {
            drop(connections.enter(number, None, 5));
            assert_eq!(connections.begin(number, false, 5), Ok(()));
        }
    }

    #[test]
    fn connections_that_say_nothing_end() {
        let mut connections = Connections::new(BOUNDS);
        let mut customer = customers(&mut connections, 1).remove(0);
        let mut stranger = come(&mut connections, 2, 2);
        connections.sweep(2 + STRANGE_MS_MAX);
        assert!(!stranger.is_ended());
        connections.sweep(3 + STRANGE_MS_MAX);
        assert!(stranger.is_ended() && !customer.is_ended());
        connections.begin(1, false, 3 + STRANGE_MS_MAX).unwrap();
        connections.sweep(1_000_000);
        assert!(!customer.is_ended(), "it waits for an answer");
        connections.finish(1, 1_000_000);
        connections.sweep(1_000_001 + IDLE_MS_MAX);
        assert!(customer.is_ended());
        assert!(connections.find(1).is_none());
    }
}
