//! How much memory the bodies of all requests may take together, from their first byte to the end of the request.
//!
//! A body counts as it arrives, not by what its head announces. Requests without a session share a small part, of which each
//! address may have a share; an account may have a share of the rest. So whoever is refused is told whether it is alone in
//! asking too much, or the server is full.

mod pace;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_proto::api::{HEAL_ACCOUNT_LIMIT, REQUEST_LIMIT};
use lockstep_proto::ids::AccountId;

pub use pace::Pace;

use crate::limits::Limit;
use crate::peer::AddressKey;

/// What any body may take without being counted: as much as its connection takes anyhow. Sign-ins, sessions and pairing codes
/// fit into it, so that no crowd of larger bodies keeps them out.
pub(crate) const FREE: usize = 4 << 10;
/// Above this, a body without a session is a large one.
pub(crate) const SMALL: usize = 64 << 10;

/// Who answers for a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// A checked session's account.
    Account(AccountId),
    /// Whoever has no session, at this address.
    Address(AddressKey),
}

/// The upper bounds, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyMemory {
    /// Of all bodies.
    pub all: usize,
    /// Of those without a session, as part of all.
    pub sessionless: usize,
}

impl Default for BodyMemory {
    fn default() -> Self {
        Self { all: 64 << 20, sessionless: 8 << 20 }
    }
}

impl BodyMemory {
    /// The least with which every request can be made.
    pub(crate) const LEAST: Self =
        Self { all: HEAL_ACCOUNT_LIMIT + 2 * REQUEST_LIMIT, sessionless: HEAL_ACCOUNT_LIMIT };

    /// What one may hold at once: two of the largest requests, or a fraction.
    fn share(&self, holder: Holder) -> usize {
        match holder {
            Holder::Account(_) => ((self.all - self.sessionless) / 4).max(2 * REQUEST_LIMIT),
            Holder::Address(_) => (self.sessionless / 8).max(HEAL_ACCOUNT_LIMIT),
        }
    }

    /// How many large bodies without a session there may be at once: they take half of the part at most.
    fn large(&self) -> usize {
        (self.sessionless / 2 / HEAL_ACCOUNT_LIMIT).max(1)
    }
}

/// The budget of a process.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    memory: BodyMemory,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    sessionless: usize,
    /// The addresses that have a large one.
    large: HashSet<Holder>,
    by: HashMap<Holder, usize>,
}

impl Budget {
    pub(crate) fn new(memory: BodyMemory) -> Arc<Self> {
        Arc::new(Self { memory, held: Mutex::default() })
    }

    /// A place for one body, of nothing yet.
    pub(crate) fn open(self: &Arc<Self>, holder: Holder) -> Reservation {
        Reservation { budget: self.clone(), holder, bytes: 0, large: false }
    }

    fn take(&self, holder: Holder, more: usize) -> Result<(), Limit> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let of_holder = held.by.get(&holder).copied().unwrap_or_default() + more;
        let (all, mut sessionless) = (held.all + more, held.sessionless);
        if matches!(holder, Holder::Address(_)) {
            sessionless += more;
        }
        if of_holder > self.memory.share(holder) {
            return Err(Limit::BodyShare);
        }
        if all > self.memory.all || sessionless > self.memory.sessionless {
            return Err(Limit::BodyMemory);
        }
        held.by.insert(holder, of_holder);
        (held.all, held.sessionless) = (all, sessionless);
        Ok(())
    }

    fn take_large(&self, holder: Holder) -> Result<(), Limit> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.large.contains(&holder) {
            return Err(Limit::BodyShare);
        }
        if held.large.len() >= self.memory.large() {
            return Err(Limit::LargeBodies);
        }
        held.large.insert(holder);
        Ok(())
    }

    fn give_back(&self, Reservation { holder, bytes, large, .. }: &Reservation) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all -= bytes;
        if matches!(holder, Holder::Address(_)) {
            held.sessionless -= bytes;
        }
        if *large {
            held.large.remove(holder);
        }
        if let Some(of_holder) = held.by.get_mut(holder) {
            *of_holder -= bytes;
            if *of_holder == 0 {
                held.by.remove(holder);
            }
        }
    }
}

/// What one body takes of the budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    holder: Holder,
    bytes: usize,
    large: bool,
}

impl Reservation {
    /// Takes as much more as a body of this many bytes needs.
    ///
    /// # Errors
    /// The limit that stands in the way. What was taken before is kept.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Limit> {
        let more = bytes.saturating_sub(FREE).saturating_sub(self.bytes);
        if more > 0 {
            self.budget.take(self.holder, more)?;
            self.bytes += more;
        }
        if bytes > SMALL { self.admit_large() } else { Ok(()) }
    }

    /// Makes it one of the few large ones, and the only one of its address, if it has no session.
    ///
    /// # Errors
    /// [`Limit::BodyShare`], [`Limit::LargeBodies`].
    pub(crate) fn admit_large(&mut self) -> Result<(), Limit> {
        if matches!(self.holder, Holder::Address(_)) && !self.large {
            self.budget.take_large(self.holder)?;
            self.large = true;
        }
        Ok(())
    }

    /// Whether it is one of the few large ones.
    pub(crate) fn is_large(&self) -> bool {
        self.large
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const MIB: usize = 1 << 20;

    fn address(last: u8) -> Holder {
        Holder::Address(AddressKey::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    fn account(id: u8) -> Holder {
        Holder::Account(AccountId([id; 32]))
    }

    fn held(budget: &Budget) -> (usize, usize, usize, usize) {
        let held = budget.held.lock().unwrap_or_else(PoisonError::into_inner);
        (held.all, held.sessionless, held.large.len(), held.by.len())
    }

    /// Opens bodies of this size until one is refused: how many there were, and why no more.
    fn fill(
        budget: &Arc<Budget>,
        size: usize,
        mut holders: impl Iterator<Item = Holder>,
    ) -> (Vec<Reservation>, Option<Limit>) {
        let mut open = Vec::new();
        let refused = holders.find_map(|holder| {
            let mut body = budget.open(holder);
            let refused = body.grow_to(size).err();
            open.extend(refused.is_none().then_some(body));
            refused
        });
        (open, refused)
    }

    #[test]
    fn those_without_a_session_have_a_small_part_and_leave_the_rest() {
        let budget = Budget::new(BodyMemory::default());
        let (crowd, refused) = fill(&budget, SMALL, (0..=255).map(address));
        assert_eq!((crowd.len(), refused), (8 * MIB / (SMALL - FREE), Some(Limit::BodyMemory)));
        // Small ones are not counted, so the crowd keeps nobody from signing in.
        assert_eq!(budget.open(address(255)).grow_to(FREE), Ok(()));
        let (accounts, refused) = fill(&budget, 4 * MIB, (0..255).map(account));
        assert_eq!((accounts.len(), refused), (14, Some(Limit::BodyMemory)));
        drop((crowd, accounts));
        assert_eq!(held(&budget), (0, 0, 0, 0));
    }

    #[test]
    fn nobody_takes_all_of_a_part() {
        let budget = Budget::new(BodyMemory::default());
        let (bodies, refused) = fill(&budget, SMALL, std::iter::repeat(address(1)));
        assert_eq!((bodies.len(), refused), (MIB / (SMALL - FREE), Some(Limit::BodyShare)));
        let (bodies, refused) = fill(&budget, 4 * MIB, std::iter::repeat(account(1)));
        assert_eq!((bodies.len(), refused), (3, Some(Limit::BodyShare)));
        assert_eq!(budget.open(address(2)).grow_to(SMALL), Ok(()));
        assert_eq!(budget.open(account(2)).grow_to(4 * MIB), Ok(()));
    }

    #[test]
    fn few_large_bodies_without_a_session_are_there_at_once() {
        let budget = Budget::new(BodyMemory::default());
        let (bodies, refused) = fill(&budget, SMALL + 1, (0..=255).map(address));
        assert_eq!((bodies.len(), refused), (4, Some(Limit::LargeBodies)));
        assert_eq!(budget.open(address(1)).admit_large(), Err(Limit::BodyShare));
        let mut grown = budget.open(address(9));
        assert_eq!(grown.grow_to(SMALL), Ok(()));
        assert_eq!(grown.grow_to(MIB), Err(Limit::LargeBodies));
        drop(bodies);
        assert_eq!(grown.grow_to(MIB), Ok(()));
        drop(grown);
        assert_eq!(held(&budget), (0, 0, 0, 0));
    }

    #[test]
    fn a50_one_address_has_one_large_body_without_a_session() {
        let budget = Budget::new(BodyMemory::default());
        let mut first = budget.open(address(1));
        assert_eq!((first.admit_large(), first.grow_to(MIB)), (Ok(()), Ok(())));
        let mut second = budget.open(address(1));
        assert_eq!(second.admit_large(), Err(Limit::BodyShare));
        // That one did not come to have it, so it takes nothing from the first with it.
        drop(second);
        assert_eq!(budget.open(address(1)).admit_large(), Err(Limit::BodyShare));
        assert_eq!(budget.open(address(2)).admit_large(), Ok(()));
        drop(first);
        assert_eq!(budget.open(address(1)).admit_large(), Ok(()));
    }

    #[test]
    fn the_least_budget_lets_the_largest_request_in() {
        let budget = Budget::new(BodyMemory::LEAST);
        assert_eq!(budget.open(address(1)).grow_to(HEAL_ACCOUNT_LIMIT), Ok(()));
        assert_eq!(budget.open(account(1)).grow_to(REQUEST_LIMIT), Ok(()));
    }

    #[test]
    fn a_body_that_grows_is_counted_once() {
        let budget = Budget::new(BodyMemory::default());
        let mut body = budget.open(account(1));
        for size in [1, FREE, FREE + 1, 2 * FREE, 2 * FREE, FREE, 3 * FREE] {
            assert_eq!(body.grow_to(size), Ok(()));
        }
        assert_eq!(held(&budget), (2 * FREE, 0, 0, 1));
    }
}
