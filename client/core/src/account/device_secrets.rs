//! The secrets of a device, as one record sealed under LRK.

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::keys::{Ark, KEY_LENGTH, Lrk};
use lockstep_crypto::secret_key::SecretKey;
use lockstep_proto::canon::{CanonError, Decoder};
use lockstep_proto::ids::Generation;
use zeroize::Zeroizing;

use super::local::{self, LocalSealer};
use super::profile::{ProfileError, SECRETS};
use crate::ports::{Batch, LocalStore, Table};

const FORMAT: u16 = 1;
/// Bytes of the record before it is sealed.
const LENGTH: usize = 2 + DeviceKeys::LENGTH + KEY_LENGTH + 4 + SecretKey::LENGTH;

/// DSK and DEK, ARK of the generation at hand, the Secret Key.
pub(super) struct DeviceSecrets {
    pub(super) keys: DeviceKeys,
    pub(super) ark: Ark,
    pub(super) generation: Generation,
    pub(super) secret_key: SecretKey,
}

impl DeviceSecrets {
    /// Reads the record.
    pub(super) async fn read(store: &dyn LocalStore, lrk: &Lrk) -> Result<Self, ProfileError> {
        let sealed = store.read(Table::Profile, SECRETS).await?;
        let sealed = sealed.ok_or(ProfileError::Damaged("its keys are missing"))?;
        let bytes =
            local::open_with(lrk, Table::Profile, SECRETS, &sealed).map_err(|_| ProfileError::WrongKey)?;
        Self::decode(&bytes).map_err(|_| ProfileError::Damaged("its keys"))
    }

    fn decode(bytes: &[u8]) -> Result<Self, CanonError> {
        let mut input = Decoder::new(bytes);
        let format = input.u16()?;
        if format != FORMAT {
            return Err(CanonError::UpdateNeeded { field: "device secrets", value: u32::from(format) });
        }
        let keys = input.take(DeviceKeys::LENGTH)?;
        let keys = DeviceKeys::from_secret_bytes(keys).map_err(|_| CanonError::Invalid("device keys"))?;
        let ark = Ark::from_slice(input.take(KEY_LENGTH)?).map_err(|_| CanonError::Invalid("ARK"))?;
        let generation = Generation(input.u32()?);
        let secret_key = SecretKey::from_slice(input.take(SecretKey::LENGTH)?);
        let secret_key = secret_key.map_err(|_| CanonError::Invalid("Secret Key"))?;
        input.finish()?;
        Ok(Self { keys, ark, generation, secret_key })
    }
}

/// Adds the sealed record of these secrets to a batch.
pub(super) fn put_secrets(
    keys: &DeviceKeys,
    ark: &Ark,
    generation: Generation,
    secret_key: &SecretKey,
    sealer: &LocalSealer,
    batch: &mut Batch,
) -> Result<(), ProfileError> {
    // It never grows, so it leaves no copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH));
    bytes.extend_from_slice(&FORMAT.to_be_bytes());
    bytes.extend_from_slice(&*keys.expose_secret_bytes());
    bytes.extend_from_slice(ark.expose_bytes());
    bytes.extend_from_slice(&generation.0.to_be_bytes());
    bytes.extend_from_slice(secret_key.expose_bytes());
    let sealed = sealer.seal(Table::Profile, SECRETS, &bytes);
    batch.put(
        Table::Profile,
        SECRETS,
        sealed.map_err(|_| ProfileError::Damaged("its keys cannot be sealed"))?,
    );
    Ok(())
}
