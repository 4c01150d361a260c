//! Values as deterministic CBOR (RFC 8949 §4.2.1): shortest heads, definite lengths, map keys in bytewise order of
//! their encodings.

use std::collections::BTreeMap;

use minicbor::Decoder;
use minicbor::data::Type;

use super::codec::DecodeError;
use super::value::Value;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Appends the encoding of a value.
pub(super) fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Int(int) if *int < 0 => write_head(NEGATIVE, (!*int).unsigned_abs(), out),
        Value::Int(int) => write_head(UNSIGNED, int.unsigned_abs(), out),
        Value::Bytes(bytes) => write_bytes(bytes, out),
        Value::Text(text) => write_text(text, out),
        Value::Array(values) => {
            write_array(values.len(), out);
            values.iter().for_each(|value| write_value(value, out));
        }
        Value::Map(map) => {
            write_map(map.len(), out);
            for (key, value) in in_encoded_order(map) {
                write_text(key, out);
                write_value(value, out);
            }
        }
    }
}

/// The entries of a map in the bytewise order of their encoded keys: shorter first, then by bytes.
pub(super) fn in_encoded_order<T>(map: &BTreeMap<String, T>) -> Vec<(&String, &T)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| key.len());
    entries
}

/// How many bytes [`write_value`] appends.
pub(super) fn encoded_len(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Int(int) if *int < 0 => head_len((!*int).unsigned_abs()),
        Value::Int(int) => head_len(int.unsigned_abs()),
        Value::Bytes(bytes) => string_len(bytes.len()),
        Value::Text(text) => string_len(text.len()),
        Value::Array(values) => head_len(values.len() as u64) + values.iter().map(encoded_len).sum::<usize>(),
        Value::Map(map) => {
            let members = map.iter().map(|(key, value)| string_len(key.len()) + encoded_len(value));
            head_len(map.len() as u64) + members.sum::<usize>()
        }
    }
}

/// Reads one value nested at most `depth` levels deep. Accepts some encodings that are not deterministic: whoever
/// needs the one encoding compares it with [`write_value`]'s. Memory grows with the elements read, never with a
/// count announced.
pub(super) fn read_value(input: &mut Decoder<'_>, depth: usize) -> Result<Value, DecodeError> {
    let Some(depth) = depth.checked_sub(1) else { return Err(DecodeError::TooDeep) };
    Ok(match input.datatype()? {
        Type::Null => input.null().map(|()| Value::Null)?,
        Type::Bool => Value::Bool(input.bool()?),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
            Value::Int(input.i64()?)
        }
        Type::Bytes => Value::Bytes(input.bytes()?.to_vec()),
        Type::String => Value::Text(input.str()?.to_owned()),
        Type::Array => {
            let count = input.array()?.ok_or(DecodeError::NotDeterministic)?;
            let mut values = Vec::new();
            for _ in 0..count {
                values.push(read_value(input, depth)?);
            }
            Value::Array(values)
        }
        Type::Map => {
            let count = input.map()?.ok_or(DecodeError::NotDeterministic)?;
            let mut map = BTreeMap::new();
            for _ in 0..count {
                let key = input.str()?.to_owned();
                map.insert(key, read_value(input, depth)?);
            }
            Value::Map(map)
        }
        _ => return Err(DecodeError::UnknownType),
    })
}

pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    write_head(TEXT, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_head(BYTES, bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

pub(super) fn write_unsigned(value: u64, out: &mut Vec<u8>) {
    write_head(UNSIGNED, value, out);
}

pub(super) fn write_array(count: usize, out: &mut Vec<u8>) {
    write_head(ARRAY, count as u64, out);
}

pub(super) fn write_map(count: usize, out: &mut Vec<u8>) {
    write_head(MAP, count as u64, out);
}

fn write_head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    match head_len(argument) {
        1 => out.push(major | bytes[7]),
        2 => out.extend_from_slice(&[major | 24, bytes[7]]),
        3 => {
            out.push(major | 25);
            out.extend_from_slice(&bytes[6..]);
        }
        5 => {
            out.push(major | 26);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}

fn head_len(argument: u64) -> usize {
    match argument {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

fn string_len(length: usize) -> usize {
    head_len(length as u64) + length
}
