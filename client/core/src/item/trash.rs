//! Trash: a register of its own that an edit made elsewhere always outvotes.

use std::collections::BTreeMap;

use lockstep_proto::ids::DeviceId;

use super::document::Document;
use super::entry::Entry;
use super::saw::Saw;
use super::stamp::Stamp;
use super::value::Value;

/// The field that says whether an item is in the trash.
pub const TRASH: &str = "trash";

const TIME: &str = "time";
const SAW: &str = "saw";

/// Whether an item is in the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrashState {
    /// It is not.
    Live,
    /// It is, since this time (milliseconds since 1970, by the clock of the device that put it there).
    Trashed {
        /// Since when.
        since_ms: u64,
    },
    /// A device put it there without having seen an edit that is in the document: it is live, and the user is told.
    BroughtBack,
}

impl Document {
    /// Whether the item is in the trash. Only [`TrashState::Trashed`] items may be purged.
    pub fn trash_state(&self) -> TrashState {
        let Some(register) = self.fields.get(TRASH) else { return TrashState::Live };
        let winner = register.winner();
        let Some(since_ms) = trashed_at(winner.value()) else { return TrashState::Live };
        if saw(winner.value()).covers(self) {
            TrashState::Trashed { since_ms }
        } else {
            TrashState::BroughtBack
        }
    }
}

/// What the trash register holds after putting `document` there at `time`, or after taking it out (`None`).
pub(super) fn trash_value(time: Option<u64>, document: &Document) -> Value {
    let Some(time) = time else { return Value::map([(TIME, Value::Null)]) };
    let saw = Saw::of(document).stamps().map(stamp_value).collect();
    Value::map([(TIME, Value::Int(i64::try_from(time).unwrap_or(i64::MAX))), (SAW, Value::Array(saw))])
}

/// Every entry that a trashing or a purge must have seen: all but trashings themselves. Taking an item out is an edit.
pub(super) fn content(document: &Document) -> impl Iterator<Item = &Entry> {
    let entries =
        document.fields.iter().flat_map(|(key, register)| register.entries().iter().map(move |e| (key, e)));
    entries
        .filter(|(key, entry)| *key != TRASH || trashed_at(entry.value()).is_none())
        .map(|(_, entry)| entry)
}

fn trashed_at(value: &Value) -> Option<u64> {
    value.member(TIME)?.as_int().and_then(|ms| u64::try_from(ms).ok())
}

fn stamp_value(stamp: Stamp) -> Value {
    let ms = i64::try_from(stamp.ms()).unwrap_or(i64::MAX);
    let device = stamp.device().as_bytes().to_vec();
    Value::Array(vec![Value::Bytes(device), Value::Int(ms), Value::Int(i64::from(stamp.counter()))])
}

fn saw(value: &Value) -> Saw {
    let stamps = value.member(SAW).and_then(Value::as_array).unwrap_or_default();
    stamps.iter().filter_map(read_stamp).collect()
}

/// What the trash register holds, with fresh stamps in the place of those that it saw.
pub(super) fn saw_restamped(value: &Value, fresh: &BTreeMap<Stamp, Stamp>) -> Value {
    let Value::Map(members) = value else { return value.clone() };
    let mut members = members.clone();
    if let Some(Value::Array(stamps)) = members.get_mut(SAW) {
        for stamp in stamps {
            if let Some(renewed) = read_stamp(stamp).and_then(|seen| fresh.get(&seen)) {
                *stamp = stamp_value(*renewed);
            }
        }
    }
    Value::Map(members)
}

fn read_stamp(value: &Value) -> Option<Stamp> {
    let [device, ms, counter] = value.as_array()? else { return None };
    let device = DeviceId::try_from(device.as_bytes()?).ok()?;
    let counter = u32::try_from(counter.as_int()?).ok()?;
    Stamp::new(u64::try_from(ms.as_int()?).ok()?, counter, device)
}
