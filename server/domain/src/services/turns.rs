//! Turns: who is next in a busy vault.
//!
//! Commits of one vault are made one after another anyway; here they wait in the order in which they came. Whoever is
//! found overtaken when its turn comes is told what happened, and **keeps the turn** until it comes again: so one more
//! attempt is enough, however many write. Per node and in memory: turns make a busy vault fair and cheap, the store's
//! compare-and-set alone makes it correct.
//!
//! **Invariants:** nobody waits for a vault's turn for longer than [`WAIT_LIMIT`]; a device that stays away delays
//! others by at most [`HOLD_LIMIT`], twice a minute. A caller that goes away leaves its place.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockstep_proto::ids::{DeviceId, Seq, VaultId};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// The longest time for which a turn is kept for who was overtaken.
pub(super) const HOLD_LIMIT: Duration = Duration::from_millis(500);
/// A turn is kept for at least so long: one busy moment of a device must not cost it its turns.
const HOLD_LEAST: Duration = Duration::from_millis(200);
/// In between, a turn is kept for so many times as long as its device took the last time.
const PATIENCE: u32 = 3;
/// Turns in a row that a device may let lapse.
const LAPSES_LIMIT: u8 = 2;
/// How long a device that did so is not waited for.
const NO_TURNS: Duration = Duration::from_secs(60);
/// Whoever waited for so long goes on without a turn.
const WAIT_LIMIT: Duration = Duration::from_secs(5);
/// Places in one line, one per device; whoever comes beyond goes on without a turn.
const LINE_LIMIT: usize = 64;
/// Devices whose manners are remembered.
const REMEMBERED: usize = 4_096;

/// The lines of all vaults where somebody waits, is served or is waited for.
#[derive(Default)]
pub(super) struct Turns(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    lines: HashMap<VaultId, VecDeque<Place>>,
    manners: HashMap<DeviceId, Manners>,
    next_ticket: u64,
}

struct Place {
    ticket: u64,
    device_id: DeviceId,
    /// Since when and until when the place, the first one, is kept for its device.
    kept: Option<(Instant, Instant)>,
    /// Where the vault was when the place was kept: it is kept again only if the vault has moved on since.
    at: Option<Seq>,
    called: Arc<Notify>,
}

impl Place {
    /// Whether it was kept, and its device did not come.
    fn is_over(&self) -> bool {
        self.kept.is_some_and(|(_, until)| until <= Instant::now())
    }
}

/// How a device used the turns that were kept for it.
#[derive(Clone, Copy, Default)]
struct Manners {
    took: Option<Duration>,
    lapses: u8,
    none_until: Option<Instant>,
}

impl Turns {
    /// Waits for this device's turn in a vault.
    pub(super) async fn take(&self, vault_id: VaultId, device_id: DeviceId) -> Turn {
        let started = Instant::now();
        let Some((turn, called)) = self
            .lock()
            .enter(vault_id, device_id)
            .map(|(ticket, called)| (Turn { lines: self.0.clone(), vault_id, ticket: Some(ticket) }, called))
        else {
            return Turn { lines: self.0.clone(), vault_id, ticket: None };
        };
        loop {
            let wake = match self.lock().look(&turn) {
                Look::Served => return turn,
                Look::Waits { until } => {
                    until.map_or(started + WAIT_LIMIT, |until| until.min(started + WAIT_LIMIT))
                }
            };
            // Being called, or the first place's end: both lead to another look.
            let _ = timeout_at(wake, called.notified()).await;
            if Instant::now() >= started + WAIT_LIMIT {
                return turn;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        lock(&self.0)
    }
}

fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

enum Look {
    Served,
    /// Until when the first place is kept for a device that is away.
    Waits {
        until: Option<Instant>,
    },
}

impl Lines {
    /// The place that was kept for the device, or the last one.
    fn enter(&mut self, vault_id: VaultId, device_id: DeviceId) -> Option<(u64, Arc<Notify>)> {
        self.sweep();
        let line = self.lines.entry(vault_id).or_default();
        // Nobody waited for it: that it came late harmed nobody.
        if line.len() == 1 && line.front().is_some_and(Place::is_over) {
            line.clear();
        }
        if let Some(first) = line.front_mut()
            && first.device_id == device_id
            && let Some((since, _)) = first.kept.take()
        {
            let manners = Manners { took: Some(since.elapsed()), ..Manners::default() };
            let place = (first.ticket, first.called.clone());
            self.remember(device_id, manners);
            return Some(place);
        }
        let has_place = line.iter().any(|place| place.device_id == device_id);
        if has_place || line.len() >= LINE_LIMIT {
            return None;
        }
        let (ticket, called) = (self.next_ticket, Arc::<Notify>::default());
        line.push_back(Place { ticket, device_id, kept: None, at: None, called: called.clone() });
        self.next_ticket += 1;
        Some((ticket, called))
    }

    /// Whether the turn has come; lets a place go that was kept for too long.
    fn look(&mut self, turn: &Turn) -> Look {
        let Some(first) = self.lines.get(&turn.vault_id).and_then(VecDeque::front) else {
            return Look::Served;
        };
        if Some(first.ticket) == turn.ticket {
            return Look::Served;
        }
        match first.kept {
            Some((_, until)) if until <= Instant::now() => {
                let (ticket, device_id) = (first.ticket, first.device_id);
                self.lapse(device_id);
                self.leave(turn.vault_id, ticket);
                self.look(turn)
            }
            kept => Look::Waits { until: kept.map(|(_, until)| until) },
        }
    }

    fn lapse(&mut self, device_id: DeviceId) {
        let mut manners = self.manners.get(&device_id).copied().unwrap_or_default();
        manners.lapses = manners.lapses.saturating_add(1);
        if manners.lapses >= LAPSES_LIMIT {
            manners = Manners { none_until: Some(Instant::now() + NO_TURNS), ..Manners::default() };
        }
        self.remember(device_id, manners);
    }

    /// Places that were kept and never taken are forgotten when there are many.
    fn sweep(&mut self) {
        if self.lines.len() >= REMEMBERED {
            self.lines.retain(|_, line| line.len() > 1 || !line.front().is_some_and(Place::is_over));
        }
    }

    fn remember(&mut self, device_id: DeviceId, manners: Manners) {
        if self.manners.len() >= REMEMBERED && !self.manners.contains_key(&device_id) {
            self.manners.clear();
        }
        self.manners.insert(device_id, manners);
    }

    /// Keeps the first place for its device, unless that let too many lapse, or had the turn and was not overtaken since.
    fn keep(&mut self, vault_id: VaultId, ticket: u64, head: Seq) {
        let now = Instant::now();
        let first = self.lines.get_mut(&vault_id).and_then(VecDeque::front_mut);
        let Some(first) = first.filter(|first| first.ticket == ticket) else {
            return self.leave(vault_id, ticket);
        };
        let manners = self.manners.get(&first.device_id).copied().unwrap_or_default();
        let is_banned = manners.none_until.is_some_and(|until| until > now);
        if is_banned || first.at.is_some_and(|at| head <= at) {
            return self.leave(vault_id, ticket);
        }
        let hold = manners.took.map_or(HOLD_LIMIT, |took| (took * PATIENCE).clamp(HOLD_LEAST, HOLD_LIMIT));
        (first.kept, first.at) = (Some((now, now + hold)), Some(head));
        self.call(vault_id);
    }

    /// Gives a place up and calls whoever is first then.
    fn leave(&mut self, vault_id: VaultId, ticket: u64) {
        let Some(line) = self.lines.get_mut(&vault_id) else { return };
        line.retain(|place| place.ticket != ticket);
        if line.is_empty() {
            self.lines.remove(&vault_id);
        }
        self.call(vault_id);
    }

    /// Calls whoever is first, or, while that place is kept, whoever waits behind it.
    fn call(&mut self, vault_id: VaultId) {
        let Some(line) = self.lines.get(&vault_id) else { return };
        let next = line.iter().find(|place| place.kept.is_none());
        next.inspect(|place| place.called.notify_one());
    }
}

/// A turn; giving it up lets the next one go on.
pub(super) struct Turn {
    lines: Arc<Mutex<Lines>>,
    vault_id: VaultId,
    /// `None` beyond the line's limit: nothing is given up then.
    ticket: Option<u64>,
}

impl Turn {
    /// The device was overtaken, the vault's head is this one: the turn is kept until it comes again, for a short time.
    pub(super) fn keep(mut self, head: Seq) {
        if let Some(ticket) = self.ticket.take() {
            lock(&self.lines).keep(self.vault_id, ticket, head);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            lock(&self.lines).leave(self.vault_id, ticket);
        }
    }
}

#[cfg(test)]
mod tests;
