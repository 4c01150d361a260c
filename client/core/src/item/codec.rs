//! The one encoding of a document: deterministic CBOR.
//!
//! ```text
//! document = { "d": [device ids, ascending], "f": { field key: register }, "s": [stamps, ascending], unknown: value }
//! stamp    = [ms, counter, index into "d"]
//! register = [floors, entry, …]        floors = [indexes into "s", ascending], at most one for each device; entries newest first
//! entry    = [index into "s", value] | [index into "s", value, [indexes into "s", newest first]]
//! ```
//!
//! The tables hold exactly what is used. Frozen in `proto/vectors/document.json`.

use std::collections::BTreeMap;

use lockstep_proto::ids::DeviceId;
use minicbor::Decoder;

use super::document::Document;
use super::entry::Entry;
use super::floors::Floors;
use super::limits::{MAX_DOCUMENT_BYTES, MAX_FIELD_KEY_BYTES, MAX_VALUE_DEPTH};
use super::register::{Bounds, Register};
use super::stamp::Stamp;
use super::value::Value;
use super::value_codec::{
    in_encoded_order, read_value, write_array, write_bytes, write_map, write_text, write_unsigned,
    write_value,
};

const DEVICES: &str = "d";
const FIELDS: &str = "f";
const STAMPS: &str = "s";
/// Most documents have fewer bytes.
const USUAL_BYTES: usize = 1024;
/// The document's own levels around a value: document, fields, register, entry.
const MAX_DEPTH: usize = MAX_VALUE_DEPTH + 4;

/// Why bytes are not a document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Larger than any document may be.
    #[error("the document has {found} bytes, more than the {MAX_DOCUMENT_BYTES} allowed")]
    TooLarge {
        /// Bytes.
        found: usize,
    },
    /// Nested too deeply.
    #[error("the document is nested too deeply")]
    TooDeep,
    /// A float, a tag or another type that documents do not have.
    #[error("the document holds a CBOR type that documents do not have")]
    UnknownType,
    /// Not CBOR.
    #[error("the document is not well-formed CBOR")]
    Malformed(#[from] minicbor::decode::Error),
    /// CBOR, but not a document.
    #[error("the document's {0} is not as documents are")]
    Shape(&'static str),
    /// A document, but not in its one encoding, or a register beyond its bounds.
    #[error("the document is not in its one encoding")]
    NotDeterministic,
}

impl Document {
    /// The document's one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let stamps = ascending(self.fields.values().flat_map(stamps_of));
        let devices = ascending(stamps.iter().map(Stamp::device));
        let mut members: Vec<&str> = [DEVICES, FIELDS, STAMPS].to_vec();
        members.extend(self.unknown.keys().map(String::as_str));
        members.sort_by_key(|key| (key.len(), *key));
        let mut out = Vec::with_capacity(USUAL_BYTES);
        write_map(members.len(), &mut out);
        for member in members {
            write_text(member, &mut out);
            match member {
                DEVICES => write_devices(&devices, &mut out),
                STAMPS => write_stamps(&stamps, &devices, &mut out),
                FIELDS => {
                    write_map(self.fields.len(), &mut out);
                    for (key, register) in in_encoded_order(&self.fields) {
                        write_text(key, &mut out);
                        write_register(register, &stamps, &mut out);
                    }
                }
                unknown => write_value(self.unknown.get(unknown).unwrap_or(&Value::Null), &mut out),
            }
        }
        out
    }

    /// Reads a document; `from_bytes(to_bytes(d)) == d`.
    ///
    /// # Errors
    /// [`DecodeError`] for everything that [`Document::to_bytes`] does not write: there is one encoding only. Memory
    /// is bounded by a multiple of the input's length, which is bounded itself.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(DecodeError::TooLarge { found: bytes.len() });
        }
        let Value::Map(mut members) = read_value(&mut Decoder::new(bytes), MAX_DEPTH)? else {
            return Err(DecodeError::Shape("outer map"));
        };
        let devices = read_devices(members.remove(DEVICES)).ok_or(DecodeError::Shape("device table"))?;
        let stamps =
            read_stamps(members.remove(STAMPS), &devices).ok_or(DecodeError::Shape("stamp table"))?;
        let Some(Value::Map(registers)) = members.remove(FIELDS) else {
            return Err(DecodeError::Shape("map of fields"));
        };
        let mut fields = BTreeMap::new();
        for (key, register) in registers {
            if key.is_empty() || key.len() > MAX_FIELD_KEY_BYTES {
                return Err(DecodeError::Shape("field key"));
            }
            fields.insert(key, read_register(register, &stamps).ok_or(DecodeError::Shape("register"))?);
        }
        let document = Self { fields, unknown: members };
        if document.to_bytes() == bytes { Ok(document) } else { Err(DecodeError::NotDeterministic) }
    }
}

/// Each once, in order.
fn ascending<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

fn stamps_of(register: &Register) -> impl Iterator<Item = Stamp> {
    let entries = register.entries().iter();
    entries
        .flat_map(|entry| entry.replaces.iter().copied().chain([entry.stamp]))
        .chain(register.floors().stamps())
}

fn write_devices(devices: &[DeviceId], out: &mut Vec<u8>) {
    write_array(devices.len(), out);
    devices.iter().for_each(|device| write_bytes(device.as_bytes(), out));
}

fn write_stamps(stamps: &[Stamp], devices: &[DeviceId], out: &mut Vec<u8>) {
    write_array(stamps.len(), out);
    for stamp in stamps {
        write_array(3, out);
        write_unsigned(stamp.ms(), out);
        write_unsigned(u64::from(stamp.counter()), out);
        write_unsigned(index_of(devices, &stamp.device()), out);
    }
}

fn write_register(register: &Register, stamps: &[Stamp], out: &mut Vec<u8>) {
    write_array(1 + register.entries().len(), out);
    let floors = ascending(register.floors().stamps());
    write_array(floors.len(), out);
    floors.iter().for_each(|floor| write_unsigned(index_of(stamps, floor), out));
    for entry in register.entries() {
        write_array(if entry.replaces.is_empty() { 2 } else { 3 }, out);
        write_unsigned(index_of(stamps, &entry.stamp), out);
        write_value(&entry.value, out);
        if !entry.replaces.is_empty() {
            write_array(entry.replaces.len(), out);
            entry.replaces.iter().for_each(|stamp| write_unsigned(index_of(stamps, stamp), out));
        }
    }
}

/// The place of an element in a sorted table that holds it.
fn index_of<T: Ord>(table: &[T], element: &T) -> u64 {
    table.binary_search(element).unwrap_or_else(|place| place) as u64
}

fn read_devices(value: Option<Value>) -> Option<Vec<DeviceId>> {
    let Some(Value::Array(values)) = value else { return None };
    values.iter().map(|value| DeviceId::try_from(value.as_bytes()?).ok()).collect()
}

fn read_stamps(value: Option<Value>, devices: &[DeviceId]) -> Option<Vec<Stamp>> {
    let Some(Value::Array(values)) = value else { return None };
    let read = |value: &Value| {
        let [ms, counter, device] = value.as_array()? else { return None };
        let counter = u32::try_from(counter.as_int()?).ok()?;
        Stamp::new(u64::try_from(ms.as_int()?).ok()?, counter, *at(devices, device)?)
    };
    values.iter().map(read).collect()
}

fn read_register(value: Value, stamps: &[Stamp]) -> Option<Register> {
    let Value::Array(values) = value else { return None };
    let mut values = values.into_iter();
    let Some(Value::Array(floors)) = values.next() else { return None };
    let floors = floors.iter().map(|index| at(stamps, index).copied()).collect::<Option<Vec<_>>>()?;
    let entries = values.map(|value| read_entry(value, stamps)).collect::<Option<_>>()?;
    Register::from_entries(entries, Floors::at(floors), &Bounds::PROTOCOL)
}

fn read_entry(value: Value, stamps: &[Stamp]) -> Option<Entry> {
    let Value::Array(parts) = value else { return None };
    let mut parts = parts.into_iter();
    let stamp = *at(stamps, &parts.next()?)?;
    let value = parts.next()?;
    let replaces = match parts.next() {
        Some(Value::Array(indexes)) => {
            indexes.iter().map(|index| at(stamps, index).copied()).collect::<Option<_>>()?
        }
        Some(_) => return None,
        None => Vec::new(),
    };
    parts.next().is_none().then(|| Entry::new(stamp, value, replaces))
}

fn at<'t, T>(table: &'t [T], index: &Value) -> Option<&'t T> {
    table.get(usize::try_from(index.as_int()?).ok()?)
}
