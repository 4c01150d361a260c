//! What there is in the model: a server that can be put back to what it was, and three devices.

use std::collections::{BTreeMap, BTreeSet};

use super::book::{CommitId, GENESIS, Item, LOG, LinkId};
use super::document::{Doc, EACH, Values};
use crate::logs::fixture::{DEVICES, LOST};

/// What a server has, and what a backup of it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Server {
    pub(super) log: LinkId,
    pub(super) head: CommitId,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Device {
    pub(super) log: LinkId,
    pub(super) pin: CommitId,
    /// What waits, with what came meanwhile merged in.
    pub(super) outbox: BTreeMap<Item, Doc>,
    pub(super) in_flight: Option<CommitId>,
    /// What it brought along to other histories, as it was.
    pub(super) carried: BTreeMap<Item, Doc>,
    /// Whether it ever knew of the removal.
    pub(super) knows: bool,
}

/// How often something may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Left {
    pub(super) writes: [u8; DEVICES],
    pub(super) purges: [u8; DEVICES],
    pub(super) removals: u8,
    /// Links that say anything else.
    pub(super) others: [u8; DEVICES],
    pub(super) backups: u8,
    pub(super) restores: u8,
    /// Syncs that are cut short.
    pub(super) cuts: u8,
    /// Answers of a person, where the server is hostile; else everybody answers who is asked.
    pub(super) answers: u8,
    /// Commits that a thief signs with the lost device's key.
    pub(super) plants: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) server: Server,
    pub(super) backups: BTreeSet<Server>,
    pub(super) devices: [Device; DEVICES],
    pub(super) left: Left,
    /// How many values and purges each device has made.
    pub(super) made: [u8; DEVICES],
    /// What each value or purge took the place of, in truth.
    pub(super) replaced: [Values; DEVICES * EACH as usize],
    /// What was acknowledged to each device.
    pub(super) acknowledged: [Values; DEVICES],
    /// What the remover had seen, once the lost device is removed.
    pub(super) remover_saw: Option<Values>,
    /// Which of these are purges.
    pub(super) purges: Values,
    /// What the lost device wrote, and a device made its own that did not know of a removal.
    pub(super) taken_over: Values,
    /// What honest devices signed: device, parent, link that accepted a history last, commit.
    pub(super) signed: BTreeSet<(u8, CommitId, Option<LinkId>, CommitId)>,
}

impl World {
    pub(super) fn new(left: Left) -> Self {
        let device = || Device {
            log: LOG,
            pin: GENESIS,
            outbox: BTreeMap::new(),
            in_flight: None,
            carried: BTreeMap::new(),
            knows: false,
        };
        Self {
            server: Server { log: LOG, head: GENESIS },
            backups: BTreeSet::new(),
            devices: [device(), device(), device()],
            left,
            made: [0; DEVICES],
            replaced: [Values::NONE; DEVICES * EACH as usize],
            acknowledged: [Values::NONE; DEVICES],
            remover_saw: None,
            purges: Values::NONE,
            taken_over: Values::NONE,
            signed: BTreeSet::new(),
        }
    }

    /// What the lost device wrote where its remover had not seen it.
    pub(super) fn unseen(&self) -> Values {
        self.remover_saw.map_or(Values::NONE, |saw| Values::all_of(LOST).without(saw))
    }

    /// What nobody may show or write who knows of the removal.
    pub(super) fn forbidden(&self) -> Values {
        self.unseen().without(self.taken_over)
    }

    /// What a device merges that knows of no removal is its own.
    pub(super) fn take_over(&mut self, device: usize, seen: Values) {
        if device != LOST && !self.devices[device].knows {
            self.taken_over = self.taken_over.and(seen.both(Values::all_of(LOST)));
        }
    }

    /// The next value, or purge, of a device, which takes the place of what `before` has.
    pub(super) fn make(&mut self, device: usize, before: Doc) -> Values {
        let number = self.made[device];
        self.made[device] += 1;
        self.replaced[device * usize::from(EACH) + usize::from(number)] = before.seen;
        Values::of(device, number)
    }

    /// What is there in truth where these values are: they and what they took the place of.
    pub(super) fn accounted(&self, seen: Values, shown: Values) -> Values {
        let bits = (0..self.replaced.len()).filter(|bit| seen.0 & (1 << bit) != 0);
        bits.fold(shown.and(seen.both(self.purges)), |all, bit| all.and(self.replaced[bit]))
    }
}
