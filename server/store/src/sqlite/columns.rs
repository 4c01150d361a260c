//! How values stand in columns.

use lockstep_domain::store::Standing;
use lockstep_proto::ids::{Hash, ItemId, Seq};
use lockstep_proto::log::LogHead;
use rusqlite::types::Type;
use rusqlite::{Error, Row};

/// Numbers are unsigned, columns are signed: the bits are kept. Numbers below 2^63 keep their order.
pub(super) fn to_column(number: u64) -> i64 {
    number.cast_signed()
}

/// A position from a query: none is above what a column can hold.
pub(super) fn place(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

/// A number.
pub(super) fn number(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(index).map(i64::cast_unsigned)
}

/// A byte string of fixed length.
pub(super) fn fixed<const N: usize>(row: &Row<'_>, index: usize) -> rusqlite::Result<[u8; N]> {
    let bytes = row.get_ref(index)?.as_blob()?;
    bytes.try_into().map_err(|_| Error::InvalidColumnType(index, "a blob of fixed length".into(), Type::Blob))
}

/// A hash.
pub(super) fn hash(row: &Row<'_>, index: usize) -> rusqlite::Result<Hash> {
    fixed(row, index).map(Hash)
}

/// An item id.
pub(super) fn item_id(row: &Row<'_>, index: usize) -> rusqlite::Result<ItemId> {
    let bytes: [u8; 16] = fixed(row, index)?;
    let mut decoder = lockstep_proto::canon::Decoder::new(&bytes);
    lockstep_proto::canon::Canon::decode(&mut decoder)
        .map_err(|error| Error::FromSqlConversionFailure(index, Type::Blob, Box::new(error)))
}

/// A position and a hash.
pub(super) fn head(row: &Row<'_>, index: usize) -> rusqlite::Result<LogHead> {
    Ok(LogHead { seq: Seq(number(row, index)?), hash: hash(row, index + 1)? })
}

/// Where a vault is, from `head_seq, head_hash, quota_bytes, used_bytes`.
pub(super) fn standing(row: &Row<'_>, index: usize) -> rusqlite::Result<Standing> {
    let (quota, used) = (number(row, index + 2)?, number(row, index + 3)?);
    Ok(Standing { head: head(row, index)?, bytes_left: quota.saturating_sub(used) })
}

/// Whether a page that holds `held` bytes takes an entry of `next` bytes more.
pub(super) fn fits(held: usize, next: usize) -> bool {
    held == 0 || held + next <= lockstep_proto::api::PAGE_LIMIT
}
