//! Floors: up to where, by each device, a register has given up entries.

use std::collections::BTreeMap;

use lockstep_proto::ids::DeviceId;

use super::stamp::Stamp;

/// For each device the highest of its stamps that a register knew and keeps no longer.
///
/// A device's own stamps rise and each of its writes has seen the one before, so whoever knows one of them has known all
/// below it. That is what a causal context with one number per writer rests on (N. Preguiça et al., "Dotted version
/// vectors", 2010), and what tells an entry that was given up from one that was never seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Floors(BTreeMap<DeviceId, Stamp>);

impl Floors {
    /// Floors at these stamps; the higher one where a device is named twice.
    pub fn at(stamps: impl IntoIterator<Item = Stamp>) -> Self {
        let mut floors = Self::default();
        stamps.into_iter().for_each(|stamp| floors.raise(stamp));
        floors
    }

    /// Whether an entry of this stamp is one that was given up, if the register does not keep it.
    pub fn covers(&self, stamp: Stamp) -> bool {
        self.0.get(&stamp.device()).is_some_and(|floor| stamp <= *floor)
    }

    /// The highest floor; history at and below it was given up, whoever wrote it.
    pub fn highest(&self) -> Option<Stamp> {
        self.0.values().max().copied()
    }

    /// Each floor, in the order of devices.
    pub fn stamps(&self) -> impl Iterator<Item = Stamp> {
        self.0.values().copied()
    }

    pub(super) fn raise(&mut self, stamp: Stamp) {
        let floor = self.0.entry(stamp.device()).or_insert(stamp);
        *floor = stamp.max(*floor);
    }

    pub(super) fn join(&self, other: &Self) -> Self {
        Self::at(self.stamps().chain(other.stamps()))
    }
}
