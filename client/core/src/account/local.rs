//! Seals every record of a profile under LRK, each for its own table and key.

use std::sync::Arc;

use lockstep_crypto::envelope::{self, OpenError, SealError};
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::keys::{DeviceRngSecret, Lrk, SymmetricKey};
use lockstep_crypto::random::Random;
use lockstep_proto::SUITE;
use lockstep_proto::canon::Encoder;
use zeroize::Zeroizing;

use crate::ports::Table;

/// A local record cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalRecordError {
    /// It does not open: it was changed, or put in another record's place, outside this program.
    #[error("a record of this profile is damaged: {0}")]
    Open(#[from] OpenError),
    /// It is too large.
    #[error("a record of this profile is too large: {0}")]
    Seal(#[from] SealError),
}

/// Seals and opens the records of one profile. Key = `HKDF(LRK, "local-record")`, context = the canonical bytes of
/// label `local`, suite, table (`u8`), key.
pub struct LocalSealer {
    key: SymmetricKey,
    random: Arc<dyn Random>,
    rng_secret: DeviceRngSecret,
}

impl LocalSealer {
    pub(super) fn new(lrk: &Lrk, random: Arc<dyn Random>, rng_secret: DeviceRngSecret) -> Self {
        Self { key: lrk.derive_record_key(), random, rng_secret }
    }

    /// Seals a record for exactly this table and key.
    ///
    /// # Errors
    /// [`LocalRecordError::Seal`] above 256 MiB.
    pub fn seal(&self, table: Table, key: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, LocalRecordError> {
        Ok(envelope::seal(&self.key, &context(table, key), plaintext, &self.hedge())?)
    }

    /// Opens a record of exactly this table and key.
    ///
    /// # Errors
    /// [`LocalRecordError::Open`].
    pub fn open(
        &self,
        table: Table,
        key: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, LocalRecordError> {
        Ok(envelope::open(&self.key, &context(table, key), sealed)?)
    }

    /// Randomness hedged with this device's secret.
    pub(super) fn hedge(&self) -> Hedge<'_> {
        Hedge::new(&*self.random, &self.rng_secret)
    }

    pub(super) fn rng_secret(&self) -> &DeviceRngSecret {
        &self.rng_secret
    }
}

/// Opens a record before the device's own keys are known.
pub(super) fn open_with(
    lrk: &Lrk,
    table: Table,
    key: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, LocalRecordError> {
    Ok(envelope::open(&lrk.derive_record_key(), &context(table, key), sealed)?)
}

fn context(table: Table, key: &[u8]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.label("local");
    out.u8(SUITE);
    out.u8(table as u8);
    out.bytes(key);
    out.into_bytes()
}
