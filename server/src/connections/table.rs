//! Who has a place: a pure decision. Entering and leaving take logarithmic time, however many there are.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use crate::limits::Limit;
use crate::peer::AddressKey;

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) all: usize,
    /// Those among them that only local connections get.
    pub(super) reserved: usize,
    pub(super) of_address: usize,
}

/// Who wants in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newcomer {
    /// Whose connections count together; `None` for a trusted proxy, which is bound by the total alone.
    pub(super) address: Option<AddressKey>,
    /// Whether it may have a reserved place.
    pub(super) local: bool,
}

/// Who is in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entered<H> {
    pub(super) id: u64,
    /// Who had to go for it, and why.
    pub(super) displaced: Option<(H, Limit)>,
}

/// The connections, numbered in the order in which they came.
#[derive(Debug)]
pub(super) struct Table<H> {
    sizes: Sizes,
    next: u64,
    entries: HashMap<u64, Entry<H>>,
    /// Those that have lost their place and are not yet closed: a descriptor and a worker's place each.
    leaving: HashMap<u64, AddressKey>,
    addresses: HashMap<AddressKey, Address>,
    /// Each address that has waiting connections: how many, and its oldest. The last one is the busiest, and among equals the
    /// one that waits longest.
    waiting: BTreeSet<(usize, Reverse<u64>, AddressKey)>,
}

#[derive(Debug)]
struct Entry<H> {
    address: Option<AddressKey>,
    handle: H,
}

#[derive(Debug, Default)]
struct Address {
    all: usize,
    /// Those that have lost their place and are not yet closed; not among `all`.
    leaving: usize,
    /// Those without a session.
    waiting: BTreeSet<u64>,
}

impl Address {
    fn rank(&self, address: AddressKey) -> Option<(usize, Reverse<u64>, AddressKey)> {
        Some((self.waiting.len(), Reverse(*self.waiting.first()?), address))
    }
}

impl<H> Table<H> {
    pub(super) fn new(sizes: Sizes) -> Self {
        Self {
            sizes,
            next: 0,
            entries: HashMap::new(),
            leaving: HashMap::new(),
            addresses: HashMap::new(),
            waiting: BTreeSet::new(),
        }
    }

    /// Takes a connection in.
    ///
    /// # Errors
    /// The limit that is reached, where all that could make room have a session, or where as many of the address have lost
    /// their place as it may have, and none of them is closed yet.
    pub(super) fn enter(&mut self, newcomer: Newcomer, handle: H) -> Result<Entered<H>, Limit> {
        let displaced = self.make_room(newcomer)?;
        let id = self.next;
        self.next += 1;
        self.entries.insert(id, Entry { address: newcomer.address, handle });
        self.change(newcomer.address, |address| {
            address.all += 1;
            address.waiting.insert(id);
        });
        Ok(Entered { id, displaced })
    }

    fn make_room(&mut self, newcomer: Newcomer) -> Result<Option<(H, Limit)>, Limit> {
        let of_address = newcomer.address.and_then(|address| self.addresses.get(&address));
        let places = self.sizes.all - if newcomer.local { 0 } else { self.sizes.reserved };
        let (limit, oldest) = match of_address {
            // So an address has twice its places open at most, however fast it comes.
            Some(own) if own.leaving >= self.sizes.of_address => (Limit::ConnectionsOfAddress, None),
            Some(own) if own.all >= self.sizes.of_address => {
                (Limit::ConnectionsOfAddress, own.waiting.first().copied())
            }
            _ if self.entries.len() >= places => {
                (Limit::Connections, self.waiting.last().map(|(_, Reverse(oldest), _)| *oldest))
            }
            _ => return Ok(None),
        };
        let gone = oldest.and_then(|oldest| self.put_out(oldest)).ok_or(limit)?;
        Ok(Some((gone, limit)))
    }

    /// Takes its place from one that is still open: it is counted until it leaves.
    fn put_out(&mut self, id: u64) -> Option<H> {
        let Entry { address, handle } = self.remove(id)?;
        self.leaving.extend(address.map(|address| (id, address)));
        self.change(address, |address| address.leaving += 1);
        Some(handle)
    }

    /// A session was checked on this connection: it makes room for nobody.
    pub(super) fn prove(&mut self, id: u64) {
        let Some(entry) = self.entries.get(&id) else { return };
        self.change(entry.address, |address| {
            address.waiting.remove(&id);
        });
    }

    /// It is closed: its place is free, and nothing of it counts any more. Nothing, if it has gone already.
    pub(super) fn leave(&mut self, id: u64) {
        match self.leaving.remove(&id) {
            Some(address) => self.change(Some(address), |address| address.leaving -= 1),
            None => drop(self.remove(id)),
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry<H>> {
        let entry = self.entries.remove(&id)?;
        self.change(entry.address, |address| {
            address.all -= 1;
            address.waiting.remove(&id);
        });
        Some(entry)
    }

    /// Changes what is known of an address, and its rank with it.
    fn change(&mut self, key: Option<AddressKey>, change: impl FnOnce(&mut Address)) {
        let Some(key) = key else { return };
        let address = self.addresses.entry(key).or_default();
        if let Some(rank) = address.rank(key) {
            self.waiting.remove(&rank);
        }
        change(address);
        self.waiting.extend(address.rank(key));
        if address.all + address.leaving == 0 {
            self.addresses.remove(&key);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const SIZES: Sizes = Sizes { all: 10, reserved: 2, of_address: 4 };

    fn key(last: u32) -> AddressKey {
        AddressKey::V4(Ipv4Addr::from_bits(0xc000_0200 + last))
    }

    /// A table of connections that are called as they are numbered by the test.
    struct Play {
        table: Table<u32>,
        ids: HashMap<u32, u64>,
    }

    impl Play {
        fn new() -> Self {
            Self { table: Table::new(SIZES), ids: HashMap::new() }
        }

        /// Who goes when this one comes.
        fn come(&mut self, newcomer: Newcomer, name: u32) -> Result<Option<u32>, Limit> {
            let Entered { id, displaced } = self.table.enter(newcomer, name)?;
            self.ids.insert(name, id);
            Ok(displaced.map(|(gone, _)| gone))
        }

        fn from(&mut self, last: u32, name: u32) -> Result<Option<u32>, Limit> {
            self.come(Newcomer { address: Some(key(last)), local: false }, name)
        }

        fn prove(&mut self, name: u32) {
            self.table.prove(self.ids[&name]);
        }

        fn leave(&mut self, name: u32) {
            self.table.leave(self.ids[&name]);
        }
    }

    #[test]
    fn an_address_that_has_too_many_loses_the_one_that_waits_longest() {
        let mut play = Play::new();
        for name in 0..4 {
            assert_eq!(play.from(1, name), Ok(None));
        }
        play.prove(0);
        assert_eq!(play.from(1, 4), Ok(Some(1)));
        assert_eq!(play.from(2, 5), Ok(None));
        play.leave(3);
        assert_eq!(play.from(1, 6), Ok(None));
        for name in [2, 4, 6] {
            play.prove(name);
        }
        assert_eq!(play.from(1, 7), Err(Limit::ConnectionsOfAddress));
        play.leave(0);
        assert_eq!(play.from(1, 8), Ok(None));
    }

    #[test]
    fn a50_an_address_whose_connections_do_not_close_gets_no_more() {
        let mut play = Play::new();
        for name in 0..4 {
            assert_eq!(play.from(1, name), Ok(None));
        }
        for name in 4..8 {
            assert_eq!(play.from(1, name), Ok(Some(name - 4)));
        }
        assert_eq!(play.from(1, 8), Err(Limit::ConnectionsOfAddress));
        assert_eq!(play.from(2, 9), Ok(None));
        play.leave(2);
        assert_eq!(play.from(1, 10), Ok(Some(4)));
        assert_eq!(play.from(1, 11), Err(Limit::ConnectionsOfAddress));
        // Those that keep their places may go; what was put out still counts.
        play.leave(5);
        assert_eq!(play.from(1, 12), Err(Limit::ConnectionsOfAddress));
    }

    #[test]
    fn where_all_places_are_taken_the_busiest_address_makes_room() {
        let mut play = Play::new();
        assert_eq!(play.from(9, 0), Ok(None));
        for name in 1..=4 {
            assert_eq!(play.from(1, name), Ok(None));
        }
        for name in 5..=7 {
            assert_eq!(play.from(2, name), Ok(None));
        }
        // Eight places are for all: now each newcomer costs somebody else a place, down to one each.
        assert_eq!(play.from(3, 10), Ok(Some(1)));
        assert_eq!(play.from(4, 11), Ok(Some(2)));
        assert_eq!(play.from(5, 12), Ok(Some(5)));
        assert_eq!(play.from(6, 13), Ok(Some(3)));
        assert_eq!(play.from(7, 14), Ok(Some(6)));
        // All have one: the oldest goes.
        assert_eq!(play.from(8, 15), Ok(Some(0)));
    }

    #[test]
    fn who_has_a_session_stays_however_many_come() {
        let mut play = Play::new();
        for name in 0..3 {
            assert_eq!(play.from(9, name), Ok(None));
            play.prove(name);
        }
        for name in 10..10_000 {
            assert!(play.from(name, name).unwrap().is_none_or(|gone| gone >= 10));
        }
        for name in 9_995..10_000 {
            play.prove(name);
        }
        assert_eq!(play.from(1, 20_000), Err(Limit::Connections));
    }

    #[test]
    fn some_places_are_for_this_machine_alone() {
        let mut play = Play::new();
        for name in 0..8 {
            assert_eq!(play.from(name, name), Ok(None));
            play.prove(name);
        }
        assert_eq!(play.from(8, 8), Err(Limit::Connections));
        let local = Newcomer { address: Some(key(100)), local: true };
        assert_eq!(play.come(local, 9), Ok(None));
        assert_eq!(play.come(local, 10), Ok(None));
        assert_eq!(play.come(local, 11), Ok(Some(9)));
    }

    #[test]
    fn a_proxy_has_as_many_as_there_are_and_makes_room_for_nobody() {
        let mut play = Play::new();
        let proxy = Newcomer { address: None, local: false };
        assert_eq!(play.from(1, 0), Ok(None));
        for name in 1..8 {
            assert_eq!(play.come(proxy, name), Ok(None));
        }
        assert_eq!(play.come(proxy, 8), Ok(Some(0)));
        assert_eq!(play.from(1, 9), Err(Limit::Connections));
        play.leave(3);
        assert_eq!(play.from(1, 10), Ok(None));
    }

    #[test]
    fn nothing_is_kept_of_those_who_have_left() {
        let mut play = Play::new();
        for name in 0..1_000 {
            play.from(name % 7, name).unwrap();
            if name % 3 == 0 {
                play.prove(name);
            }
            // Leaving twice, or after having been put out, is nothing.
            play.leave(name / 2);
            play.leave(name);
        }
        for name in 0..1_000 {
            play.leave(name);
        }
        let Table { entries, leaving, addresses, waiting, .. } = &play.table;
        assert_eq!((entries.len(), leaving.len(), addresses.len(), waiting.len()), (0, 0, 0, 0));
    }
}
