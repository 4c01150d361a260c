//! The two keys that a password opens: AUK (with OPAQUE and the Secret Key) and LUK (offline, on this device).

use lockstep_proto::ids::{AccountId, DeviceId};
use lockstep_proto::signin::KsfProfile;

use crate::kdf;
use crate::keys::{Auk, LocalSecret, Luk};
use crate::opaque::ExportKey;
use crate::password::Password;
use crate::random::{Random, make_bytes};
use crate::secret_key::SecretKey;
use crate::stretch::{Stretch, StretchError};

/// The salt of one device's local unlock; not secret, kept beside the local slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceSalt(pub [u8; 16]);

impl DeviceSalt {
    /// A new random salt.
    pub fn make(random: &dyn Random) -> Self {
        Self(make_bytes(random))
    }
}

/// `AUK = HKDF(salt = SK, ikm = export_key, "auk" ‖ account_id ‖ ksf_profile)`; the profile is a `u16`.
pub fn derive_auk(
    secret_key: &SecretKey,
    export_key: &ExportKey,
    account_id: &AccountId,
    profile: KsfProfile,
) -> Auk {
    let parts: [&[u8]; 2] = [account_id.as_bytes(), &u16::from(profile).to_be_bytes()];
    Auk::from_secret(kdf::derive_salted(
        Some(secret_key.expose_bytes()),
        export_key.expose_bytes(),
        "auk",
        &parts,
    ))
}

/// What local unlock is bound to.
pub struct LocalUnlock<'a> {
    /// The secret in the keychain.
    pub local_secret: &'a LocalSecret,
    /// This device.
    pub device_id: &'a DeviceId,
    /// Its salt.
    pub salt: &'a DeviceSalt,
    /// The profile that LRK was last sealed with.
    pub profile: KsfProfile,
}

/// `LUK = HKDF(Argon2id(HMAC-SHA512(local secret, "local-pw" ‖ device_id ‖ SHA-512(password)), device salt),
/// "luk" ‖ device_id)`. Argon2id gives 64 bytes, hence the HKDF. Blocks for as long as the profile costs.
///
/// # Errors
/// [`StretchError`]. A wrong password is not an error here: its LUK does not open the local slot.
pub fn derive_luk(
    password: &Password,
    local: &LocalUnlock<'_>,
    stretch: &dyn Stretch,
) -> Result<Luk, StretchError> {
    let device_id = local.device_id.as_bytes();
    let input = kdf::mac(local.local_secret.expose_bytes(), "local-pw", &[device_id, password.hash()]);
    let stretched = stretch.stretch(local.profile, &*input, &local.salt.0)?;
    Ok(Luk::from_secret(kdf::derive(&*stretched, "luk", &[device_id])))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::stretch::CheapStretch;

    #[test]
    fn the_account_unlock_key_needs_every_input() {
        let auk = |key: u8, export: u8, account: u8| {
            let (key, export) = (SecretKey::from_bytes([key; 16]), ExportKey::from_bytes([export; 64]));
            *derive_auk(&key, &export, &AccountId([account; 32]), KsfProfile::Profile1).expose_bytes()
        };
        let base = auk(1, 1, 1);
        assert_eq!(base, auk(1, 1, 1));
        assert!([auk(2, 1, 1), auk(1, 2, 1), auk(1, 1, 2)].iter().all(|other| *other != base));
    }

    #[test]
    fn the_local_unlock_key_needs_every_input() {
        let luk = |password: &str, secret: u8, device: u8, salt: u8| {
            let local = LocalUnlock {
                local_secret: &LocalSecret::from_bytes([secret; 32]),
                device_id: &DeviceId([device; 16]),
                salt: &DeviceSalt([salt; 16]),
                profile: KsfProfile::Profile1,
            };
            *derive_luk(&Password::new(password).unwrap(), &local, &CheapStretch).unwrap().expose_bytes()
        };
        let base = luk("secret", 1, 1, 1);
        assert_eq!(base, luk("secret", 1, 1, 1));
        let others =
            [luk("other", 1, 1, 1), luk("secret", 2, 1, 1), luk("secret", 1, 2, 1), luk("secret", 1, 1, 2)];
        assert!(others.iter().all(|other| *other != base));
    }
}
