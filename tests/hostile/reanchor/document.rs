//! What an item holds, as sets: a document, or what a purge has seen, so that merging and covering are exact and small.

/// Values and purges, one bit for each: three devices with five each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Values(pub(super) u16);

/// How many values and purges one device makes, at most.
pub(super) const EACH: u8 = 5;

impl Values {
    pub(super) const NONE: Self = Self(0);

    /// The `number`th value, or purge, of a device.
    pub(super) fn of(device: usize, number: u8) -> Self {
        assert!(number < EACH, "no more values than there are bits");
        Self(1 << (device as u8 * EACH + number))
    }

    /// All that a device could ever make.
    pub(super) fn all_of(device: usize) -> Self {
        Self(((1 << EACH) - 1) << (device as u8 * EACH))
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = (0..15).filter(|bit| self.0 & (1 << bit) != 0);
        let names: Vec<String> =
            names.map(|bit| format!("{}{}", ["f", "s", "g"][bit / 5], bit % 5)).collect();
        write!(out, "{{{}}}", names.join(" "))
    }
}

/// A document: what it shows, and everything that was there before. One that shows nothing is a tombstone, which has
/// seen what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Doc {
    pub(super) shown: Values,
    pub(super) seen: Values,
}

impl Doc {
    /// What one has seen ends, and what it has not stays: edits and purges alike.
    pub(super) fn merged(self, other: Self) -> Self {
        let both = self.shown.both(other.shown);
        let own = self.shown.without(other.seen);
        let others = other.shown.without(self.seen);
        Self { shown: both.and(own).and(others), seen: self.seen.and(other.seen) }
    }

    /// A value that takes the place of what is shown.
    pub(super) fn written(self, value: Values) -> Self {
        Self { shown: value, seen: self.seen.and(value) }
    }

    /// Nothing takes its place.
    pub(super) fn purged(self, purge: Values) -> Self {
        Self { shown: Values::NONE, seen: self.seen.and(purge) }
    }
}
