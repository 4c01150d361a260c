//! What somebody has seen of a document: what a trashing and a tombstone are the answer to, and nothing else.

use std::collections::BTreeMap;

use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::DeviceId;

use super::document::Document;
use super::stamp::Stamp;
use super::trash::content;

const FORMAT: u16 = 1;
/// Devices that a tombstone names, at most: 28 bytes each.
const LIMIT: usize = 24;

/// The highest stamp of each device in a document, over all entries of all registers but trashings. Floors and stamps
/// that were replaced are not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Saw(BTreeMap<DeviceId, Stamp>);

impl Saw {
    /// All of a document.
    pub fn of(document: &Document) -> Self {
        content(document).map(|entry| entry.stamp()).collect()
    }

    /// Whether nothing in the document, trashings aside, is new to who saw this.
    pub fn covers(&self, document: &Document) -> bool {
        content(document).all(|entry| {
            let stamp = entry.stamp();
            self.0.get(&stamp.device()).is_some_and(|highest| stamp <= *highest)
        })
    }

    /// What either has seen, as a tombstone can say it.
    pub(crate) fn union(&self, other: &Self) -> Self {
        self.stamps().chain(other.stamps()).collect::<Self>().for_tombstone()
    }

    /// As a tombstone can say it: of more devices than it has room for those that wrote last. It covers less then, so
    /// that more comes back, and nothing is lost.
    pub(crate) fn for_tombstone(mut self) -> Self {
        if self.0.len() > LIMIT {
            let mut stamps: Vec<Stamp> = self.stamps().collect();
            stamps.sort_unstable_by(|one, other| other.cmp(one));
            stamps.truncate(LIMIT);
            self = stamps.into_iter().collect();
        }
        self
    }

    /// The stamps, ascending by device.
    pub(super) fn stamps(&self) -> impl Iterator<Item = Stamp> {
        self.0.values().copied()
    }

    /// What a tombstone holds.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        canon::to_bytes(self)
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`CanonError`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, CanonError> {
        canon::from_bytes(bytes)
    }
}

impl FromIterator<Stamp> for Saw {
    fn from_iter<I: IntoIterator<Item = Stamp>>(stamps: I) -> Self {
        let mut highest = BTreeMap::new();
        for stamp in stamps {
            let seen: &mut Stamp = highest.entry(stamp.device()).or_insert(stamp);
            *seen = stamp.max(*seen);
        }
        Self(highest)
    }
}

/// A stamp as it stands in a tombstone.
struct Seen(Stamp);

impl Canon for Seen {
    fn encode(&self, out: &mut Encoder) {
        self.0.device().encode(out);
        out.u64(self.0.ms());
        out.u32(self.0.counter());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let device = DeviceId::decode(input)?;
        let (ms, counter) = (input.u64()?, input.u32()?);
        Stamp::new(ms, counter, device).map(Self).ok_or(CanonError::Invalid("stamp"))
    }
}

impl Canon for Saw {
    fn encode(&self, out: &mut Encoder) {
        out.u16(FORMAT);
        out.list(&self.stamps().map(Seen).collect::<Vec<_>>());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let format = input.u16()?;
        if format != FORMAT {
            return Err(CanonError::UpdateNeeded { field: "tombstone", value: u32::from(format) });
        }
        let seen = input.sorted_list("saw", LIMIT, |seen: &Seen| seen.0.device())?;
        Ok(seen.into_iter().map(|Seen(stamp)| stamp).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn stamp(ms: u64, device: u8) -> Stamp {
        Stamp::new(ms, 0, DeviceId([device; 16])).unwrap()
    }

    #[test]
    fn it_reads_back_and_refuses_what_it_does_not_write() {
        let saw: Saw = [stamp(7, 2), stamp(5, 1), stamp(6, 2)].into_iter().collect();
        let bytes = saw.to_bytes();
        assert_eq!(Saw::from_bytes(&bytes).unwrap(), saw);
        assert_eq!(saw.stamps().collect::<Vec<_>>(), [stamp(5, 1), stamp(7, 2)]);
        assert_eq!(Saw::from_bytes(&Saw::default().to_bytes()).unwrap(), Saw::default());
        let (format, list) = bytes.split_at(2);
        let [first, second] = [&list[4..32], &list[32..]];
        let twice = [format, &list[..4], second, second].concat();
        let descending = [format, &list[..4], second, first].concat();
        let long = [&bytes[..], &[0]].concat();
        let late = [format, &list[..4], first, &second[..16], &[0xff; 12]].concat();
        for refused in [&twice, &descending, &long, &late, &bytes[..20].to_vec(), &Vec::new()] {
            assert!(Saw::from_bytes(refused).is_err(), "{refused:?}");
        }
        let newer = [&[0, 2], list].concat();
        assert!(matches!(Saw::from_bytes(&newer), Err(CanonError::UpdateNeeded { .. })));
    }

    #[test]
    fn a_tombstone_names_those_who_wrote_last() {
        let all: Saw = (0..200_u8).map(|device| stamp(1_000 - u64::from(device), device)).collect();
        let kept = all.clone().for_tombstone();
        assert_eq!(kept.stamps().count(), LIMIT);
        assert!(kept.stamps().all(|stamp| stamp.ms() > 1_000 - LIMIT as u64));
        assert_eq!(Saw::from_bytes(&kept.to_bytes()).unwrap(), kept);
        assert_eq!(all.union(&Saw::default()), kept);
        assert_eq!(kept.union(&all), kept);
    }
}
