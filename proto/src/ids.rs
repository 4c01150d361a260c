//! Identifiers as newtypes. Every one is plain bytes with one canonical encoding; in JSON they are base64url, item
//! ids hyphenated UUIDs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::canon::{Canon, CanonError, Decoder, Encoder};

/// The text is not an identifier of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no {0}")]
pub struct IdError(&'static str);

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $length:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// All zero: how an absent one is written.
            pub const ZERO: Self = Self([0; $length]);

            /// Length in bytes.
            pub const LENGTH: usize = $length;

            /// Whether this stands for "absent".
            pub fn is_zero(&self) -> bool {
                *self == Self::ZERO
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl Canon for $name {
            fn encode(&self, out: &mut Encoder) {
                out.fixed(&self.0);
            }

            fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
                input.fixed().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&crate::bytes::to_base64url(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let bytes = crate::bytes::from_base64url(text).ok_or(IdError($what))?;
                bytes.try_into().map(Self).map_err(|_| IdError($what))
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = IdError;

            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError($what))
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                crate::bytes::serialize(&self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::bytes::deserialize_array(deserializer).map(Self)
            }
        }
    };
}

byte_id!(
    /// A SHA-256 hash under some label.
    Hash, 32, "hash"
);
byte_id!(
    /// An account: the hash of its log's genesis link, hence self-certifying.
    AccountId, 32, "account id"
);
byte_id!(
    /// A vault: the hash of its log's genesis commit, hence self-certifying.
    VaultId, 32, "vault id"
);
byte_id!(
    /// A device: the first 16 bytes of `H("device-id", its public keys)`.
    DeviceId, 16, "device id"
);
byte_id!(
    /// A server: 16 random bytes made at its first start, independent of its host name.
    ServerId, 16, "server id"
);

impl From<Hash> for AccountId {
    fn from(hash: Hash) -> Self {
        Self(hash.0)
    }
}

impl From<Hash> for VaultId {
    fn from(hash: Hash) -> Self {
        Self(hash.0)
    }
}

/// An item: a UUIDv8, random or derived. One version for all, so that an id does not tell how its item came about.
///
/// **Invariant:** version 8 and the variant of RFC 9562; nothing else is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ItemId(Uuid);

impl<'de> Deserialize<'de> for ItemId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let uuid = if deserializer.is_human_readable() {
            Uuid::deserialize(deserializer)?
        } else {
            Uuid::from_bytes(crate::bytes::deserialize_array(deserializer)?)
        };
        Self::of(uuid).ok_or_else(|| serde::de::Error::custom(IdError("item id")))
    }
}

impl ItemId {
    fn of(uuid: Uuid) -> Option<Self> {
        let is_ours = uuid.get_version_num() == 8 && uuid.get_variant() == uuid::Variant::RFC4122;
        is_ours.then_some(Self(uuid))
    }

    /// An id from 16 bytes of randomness.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// An id from the first 16 bytes of a MAC: it must look random to whoever lacks the key.
    pub fn from_derived(bytes: [u8; 16]) -> Self {
        Self::from_random(bytes)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl Canon for ItemId {
    fn encode(&self, out: &mut Encoder) {
        out.fixed(self.0.as_bytes());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Self::of(Uuid::from_bytes(input.fixed()?)).ok_or(CanonError::Invalid("item id"))
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemId({})", self.0)
    }
}

impl FromStr for ItemId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::try_parse(text).ok().and_then(Self::of).ok_or(IdError("item id"))
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $method:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The one after this one. Saturates: no log comes near the end.
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl Canon for $name {
            fn encode(&self, out: &mut Encoder) {
                out.$method(self.0);
            }

            fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
                input.$method().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// A position in a log; the genesis is 0.
    Seq, u64, u64
);
number_id!(
    /// A vault key's epoch; the first is 1.
    Epoch, u32, u32
);
number_id!(
    /// An item's version; the first is 1, 0 means "not there".
    Version, u64, u64
);
number_id!(
    /// A generation of an account's keys (ARK, UEK, Secret Key); the first is 1.
    Generation, u32, u32
);
