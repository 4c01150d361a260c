//! How values stand in columns.

use lockstep_domain::store::{StagedRow, Standing, StoreError};
use lockstep_proto::canon::{Canon, Decoder};
use lockstep_proto::ids::{Hash, ItemId, Seq};
use lockstep_proto::log::LogHead;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

/// Numbers are unsigned, columns are signed: the bits are kept. Numbers below 2^63 keep their order.
pub(super) fn to_column(number: u64) -> i64 {
    number.cast_signed()
}

/// A position from a query: none is above what a column can hold.
pub(super) fn place(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

/// A number.
pub(super) fn number(row: &Row, index: usize) -> Result<u64, StoreError> {
    row.try_get::<_, i64>(index).map(i64::cast_unsigned).map_err(failed)
}

/// A byte string.
pub(super) fn bytes(row: &Row, index: usize) -> Result<Vec<u8>, StoreError> {
    row.try_get(index).map_err(failed)
}

/// A byte string of fixed length.
pub(super) fn fixed<const N: usize>(row: &Row, index: usize) -> Result<[u8; N], StoreError> {
    let bytes: &[u8] = row.try_get(index).map_err(failed)?;
    bytes.try_into().map_err(|_| StoreError::Corrupt("a byte string has another length"))
}

/// A hash.
pub(super) fn hash(row: &Row, index: usize) -> Result<Hash, StoreError> {
    fixed(row, index).map(Hash)
}

/// An item id.
pub(super) fn item_id(row: &Row, index: usize) -> Result<ItemId, StoreError> {
    let bytes: [u8; 16] = fixed(row, index)?;
    ItemId::decode(&mut Decoder::new(&bytes)).map_err(|_| StoreError::Corrupt("an item id"))
}

/// A position and a hash.
pub(super) fn head(row: &Row, index: usize) -> Result<LogHead, StoreError> {
    Ok(LogHead { seq: Seq(number(row, index)?), hash: hash(row, index + 1)? })
}

/// Where a vault is, from `head_seq, head_hash, quota_bytes, used_bytes`.
pub(super) fn standing(row: &Row, index: usize) -> Result<Standing, StoreError> {
    let (quota, used) = (number(row, index + 2)?, number(row, index + 3)?);
    Ok(Standing { head: head(row, index)?, bytes_left: quota.saturating_sub(used) })
}

/// Commits and their devices as columns.
pub(super) struct StagedColumns<'a> {
    numbers: [Vec<i64>; 2],
    kinds: Vec<i16>,
    bytes: [Vec<&'a [u8]>; 6],
}

impl<'a> StagedColumns<'a> {
    pub(super) fn of(rows: &'a [StagedRow]) -> Self {
        let mut columns = Self { numbers: Default::default(), kinds: Vec::new(), bytes: Default::default() };
        for StagedRow { row, device_id } in rows {
            columns.kinds.push(i16::from(row.kind as u8));
            let numbers = [place(row.head.seq), place(row.author.head.seq)];
            columns.numbers.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
            let bytes: [&[u8]; 6] = [
                row.head.hash.as_bytes(),
                row.author.account_id.as_bytes(),
                device_id.as_bytes(),
                row.author.head.hash.as_bytes(),
                &row.entry.commit.0,
                &row.entry.body.0,
            ];
            columns.bytes.iter_mut().zip(bytes).for_each(|(column, bytes)| column.push(bytes));
        }
        columns
    }

    /// `seq, hash, kind, author_account, author_device, author_seq, author_hash, bytes, body`.
    pub(super) fn values(&self) -> [&(dyn ToSql + Sync); 9] {
        let [hash, account, device, author_hash, bytes, body] = &self.bytes;
        let [seq, author_seq] = &self.numbers;
        [seq, hash, &self.kinds, account, device, author_seq, author_hash, bytes, body]
    }
}

/// The driver's error, erased.
pub(super) fn failed(error: tokio_postgres::Error) -> StoreError {
    if error.code() == Some(&SqlState::DISK_FULL) {
        StoreError::Full(Box::new(error))
    } else {
        StoreError::Failed(Box::new(error))
    }
}
