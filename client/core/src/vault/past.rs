//! Stamps of this device in items that it does not hold any more: purged ones, and what a heal took away (R-STAMP).
//!
//! A purged item may come back, by an import or by a device that had edited it before it saw the purge. This device's
//! stamps must rise in it all the same: others would take a new value under an old stamp for one that was given up.

use std::collections::BTreeMap;

use lockstep_proto::canon::{Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{DeviceId, ItemId};

use super::open_vault::OpenVault;
use crate::account::RecordError;
use crate::item::{Document, Stamp};
use crate::ports::Ports;

/// The highest of this device's stamps in each such item.
pub(crate) type Past = BTreeMap<ItemId, Stamp>;

impl OpenVault {
    /// The highest of this device's stamps that anybody may have of an item, as far as this device knows.
    pub(crate) async fn highest_own(
        &self,
        ports: &Ports,
        item_id: &ItemId,
        own: DeviceId,
    ) -> Result<Option<Stamp>, RecordError> {
        let pinned = self.below(ports, item_id).await?.document;
        let in_flight = self.in_flight().and_then(|sent| sent.edits().get(item_id)?.edit.document());
        let waiting = self.outbox.get(item_id).and_then(|entry| entry.edit.document());
        let held = [pinned.as_ref(), in_flight, waiting].into_iter().flatten();
        let stamps = held.filter_map(|document: &Document| document.highest_stamp_of(own));
        Ok(stamps.chain(self.past.get(item_id).copied()).max())
    }

    /// What is to be remembered when this device ceases to hold these items.
    pub(crate) async fn past_of(
        &self,
        ports: &Ports,
        items: Vec<ItemId>,
        own: DeviceId,
    ) -> Result<Past, RecordError> {
        let mut past = Past::new();
        for item_id in items {
            if let Some(stamp) = self.highest_own(ports, &item_id, own).await? {
                past.insert(item_id, stamp);
            }
        }
        Ok(past)
    }
}

/// A stamp as a record.
pub(super) struct PastStamp(pub(super) Stamp);

impl Canon for PastStamp {
    fn encode(&self, out: &mut Encoder) {
        out.u64(self.0.ms());
        out.u32(self.0.counter());
        self.0.device().encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let (ms, counter, device) = (input.u64()?, input.u32()?, Canon::decode(input)?);
        Stamp::new(ms, counter, device).map(Self).ok_or(CanonError::Invalid("stamp"))
    }
}
