//! The context of a wrapped key ("slot"): what the envelope or HPKE authenticates besides the key itself.
//!
//! A slot opens for exactly one account, one purpose, one pair of key generations and one place in a log, so a server
//! can neither swap slots nor serve one from another time (R-SLOT).

use crate::canon::{self, Canon, CanonError, Decoder, Encoder};
use crate::hash::hash;
use crate::ids::{AccountId, DeviceId, Generation, Hash, Seq, VaultId};

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident, $field:literal { $($(#[$variant_doc:meta])* $variant:ident = $value:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $value),+
        }

        impl $name {
            /// Every kind, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        impl Canon for $name {
            fn encode(&self, out: &mut Encoder) {
                out.u8(*self as u8);
            }

            fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
                match input.u8()? {
                    $($value => Ok(Self::$variant),)+
                    other => Err(CanonError::UpdateNeeded { field: $field, value: u32::from(other) }),
                }
            }
        }
    };
}

kinds!(
    /// What a slot is for.
    SlotKind, "slot kind" {
        /// ARK under AUK.
        Password = 1,
        /// ARK to the Recovery Key's KEM key (HPKE).
        Recovery = 2,
        /// ARK to a device's KEM key (HPKE).
        Device = 3,
        /// UEK's private half under ARK.
        Uek = 4,
        /// The Secret Key under ARK.
        SecretKey = 5,
        /// A vault key under ARK.
        VaultKey = 6,
        /// The vault key before, under the vault key after.
        PrevVaultKey = 7,
        /// The account root key before, under the one after.
        PrevArk = 8,
        /// The local root key under LUK; never leaves the device.
        Local = 9,
        /// The sealed OPAQUE record that the device which made it keeps, under ARK.
        OpaqueRecord = 10,
        /// The key that countersigns, under LUK; never leaves the device.
        PasswordKey = 11,
    }
);

kinds!(
    /// What kind of key wraps or is wrapped.
    KeyKind, "key kind" {
        /// Account unlock key, from the OPAQUE export key and the Secret Key; its generation is `sk_gen`.
        Auk = 1,
        /// Account root key.
        Ark = 2,
        /// Recovery Key's KEM key.
        Recovery = 3,
        /// A device's KEM key.
        Device = 4,
        /// The X-Wing key that others encrypt to.
        Uek = 5,
        /// The Secret Key.
        SecretKey = 6,
        /// A vault key; its generation is the epoch.
        VaultKey = 7,
        /// Local unlock key.
        Luk = 8,
        /// Local root key.
        Lrk = 9,
        /// An OPAQUE record.
        OpaqueRecord = 10,
        /// The Ed25519 key that only the account's password gives.
        PasswordKey = 11,
    }
);

/// The context of one wrapped key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrapContext {
    /// The account whose slot it is.
    pub account_id: AccountId,
    /// What it is for.
    pub slot: SlotKind,
    /// The kind of the key that wraps.
    pub wrapping: KeyKind,
    /// Its generation (of AUK: `sk_gen`).
    pub wrapping_generation: Generation,
    /// The kind of the key inside.
    pub wrapped: KeyKind,
    /// Its generation (of a vault key: the epoch).
    pub wrapped_generation: Generation,
    /// The vault, or zero.
    pub vault_id: VaultId,
    /// The device, or zero.
    pub device_id: DeviceId,
    /// The position of the link or commit before the first one that names this slot; zero for a local slot.
    pub log_seq: Seq,
    /// The hash of that link or commit; zero for a local slot.
    pub log_hash: Hash,
}

impl WrapContext {
    const LABEL: &'static str = "wrap";

    /// The canonical bytes: the envelope's context, or HPKE's info.
    pub fn context(&self) -> Vec<u8> {
        canon::to_bytes(self)
    }
}

impl Canon for WrapContext {
    fn encode(&self, out: &mut Encoder) {
        out.label(Self::LABEL);
        out.u8(crate::SUITE);
        self.account_id.encode(out);
        self.slot.encode(out);
        self.wrapping.encode(out);
        self.wrapping_generation.encode(out);
        self.wrapped.encode(out);
        self.wrapped_generation.encode(out);
        self.vault_id.encode(out);
        self.device_id.encode(out);
        self.log_seq.encode(out);
        self.log_hash.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        input.label(Self::LABEL)?;
        input.suite()?;
        Ok(Self {
            account_id: Canon::decode(input)?,
            slot: Canon::decode(input)?,
            wrapping: Canon::decode(input)?,
            wrapping_generation: Canon::decode(input)?,
            wrapped: Canon::decode(input)?,
            wrapped_generation: Canon::decode(input)?,
            vault_id: Canon::decode(input)?,
            device_id: Canon::decode(input)?,
            log_seq: Canon::decode(input)?,
            log_hash: Canon::decode(input)?,
        })
    }
}

/// `H("slot", bytes)`: the name by which a link or commit fixes a slot's exact bytes.
pub fn slot_hash(bytes: &[u8]) -> Hash {
    hash("slot", &[bytes])
}
