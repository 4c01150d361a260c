//! The messages of a pairing: canonical fields, authenticated with the code.
//!
//! On the wire: the canonical bytes (label, suite, fields), then the first 32 bytes of
//! `HMAC-SHA512(HKDF(code, "pair-mac"), "LS1/pair-message" ‖ 0x00 ‖ bytes)`.

use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::hash::hash;
use lockstep_proto::ids::{AccountId, DeviceId, Hash, ServerId};
use lockstep_proto::log::{DevicePublicKeys, LogHead};
use subtle::ConstantTimeEq as _;

use super::{PairingMessageError, PairingSecrets};
use crate::device::DeviceKeys;
use crate::envelope::{self, SealError};
use crate::hedge::Hedge;
use crate::kdf;
use crate::random::{Random, make_bytes};

const MAC_LENGTH: usize = 32;
/// A sealed name, at most: the envelope of [`DeviceName::LIMIT`] bytes takes less.
const SEALED_NAME_LIMIT: usize = 1_024;

/// 32 random bytes of one side.
pub type PairingNonce = [u8; 32];

/// A message together with the exact bytes that were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent<M> {
    message: M,
    bytes: Vec<u8>,
}

impl<M: Canon> Sent<M> {
    /// Authenticates a message.
    pub fn make(secrets: &PairingSecrets, message: M) -> Self {
        let mut bytes = canon::to_bytes(&message);
        let mac = mac(secrets, &bytes);
        bytes.extend_from_slice(&mac);
        Self { message, bytes }
    }

    /// Reads a message that arrived. Its fields are looked at only once it is known to be authentic.
    ///
    /// # Errors
    /// [`PairingMessageError::OtherCode`], [`PairingMessageError::UpdateNeeded`], [`PairingMessageError::Message`].
    pub fn read(secrets: &PairingSecrets, bytes: &[u8]) -> Result<Self, PairingMessageError> {
        let split = bytes.len().checked_sub(MAC_LENGTH).and_then(|length| bytes.split_at_checked(length));
        let (body, found) = split.ok_or(PairingMessageError::OtherCode)?;
        if !bool::from(mac(secrets, body).ct_eq(found)) {
            return Err(PairingMessageError::OtherCode);
        }
        Ok(Self { message: canon::from_bytes(body)?, bytes: bytes.to_vec() })
    }

    /// What it says.
    pub fn message(&self) -> &M {
        &self.message
    }

    /// What is sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn mac(secrets: &PairingSecrets, body: &[u8]) -> [u8; MAC_LENGTH] {
    let full = kdf::mac(secrets.mac.expose_bytes(), "pair-message", &[body]);
    let mut mac = [0; MAC_LENGTH];
    mac.copy_from_slice(&full[..MAC_LENGTH]);
    mac
}

/// The old device's first message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The server.
    pub server_id: ServerId,
    /// The account.
    pub account_id: AccountId,
    /// The account log's head: the new device's link follows it.
    pub head: LogHead,
    /// `H("pair-commit", nonce)` of the nonce that [`Reveal`] will tell.
    pub commitment: Hash,
}

impl Invitation {
    /// What commits to a nonce.
    pub fn commit(nonce: &PairingNonce) -> Hash {
        hash("pair-commit", &[nonce])
    }
}

impl Canon for Invitation {
    fn encode(&self, out: &mut Encoder) {
        begin(out, "pair-invitation");
        self.server_id.encode(out);
        self.account_id.encode(out);
        self.head.encode(out);
        self.commitment.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        input.label("pair-invitation")?;
        input.suite()?;
        Ok(Self {
            server_id: Canon::decode(input)?,
            account_id: Canon::decode(input)?,
            head: Canon::decode(input)?,
            commitment: Canon::decode(input)?,
        })
    }
}

/// The new device's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    keys: DevicePublicKeys,
    name: Vec<u8>,
    nonce: PairingNonce,
}

impl Offer {
    /// The offer of a device with these keys.
    ///
    /// # Errors
    /// [`SealError`], never for a [`DeviceName`].
    pub fn make(
        secrets: &PairingSecrets,
        keys: &DeviceKeys,
        name: &DeviceName,
        random: &dyn Random,
    ) -> Result<Self, SealError> {
        let rng_secret = keys.derive_rng_secret();
        let hedge = Hedge::new(random, &rng_secret);
        let ctx = name_context(secrets, keys.device_id());
        let sealed = envelope::seal(&secrets.name, &ctx, name.0.as_bytes(), &hedge)?;
        Ok(Self { keys: keys.public().clone(), name: sealed, nonce: make_bytes(random) })
    }

    /// The public keys, if they may stand in a log.
    ///
    /// # Errors
    /// [`PairingMessageError::Keys`].
    pub fn keys(&self) -> Result<&DevicePublicKeys, PairingMessageError> {
        self.keys.signing.check().map_err(|_| PairingMessageError::Keys)?;
        Ok(&self.keys)
    }

    /// What the new device calls itself.
    ///
    /// # Errors
    /// [`PairingMessageError::OtherCode`], [`PairingMessageError::Message`].
    pub fn name(&self, secrets: &PairingSecrets) -> Result<DeviceName, PairingMessageError> {
        let ctx = name_context(secrets, self.keys.device_id());
        let name = envelope::open(&secrets.name, &ctx, &self.name);
        let name = name.map_err(|_| PairingMessageError::OtherCode)?;
        let name = std::str::from_utf8(&name).ok().filter(|name| name.len() <= DeviceName::LIMIT);
        let name = name.ok_or(PairingMessageError::Message(CanonError::Invalid("device name")))?;
        Ok(DeviceName(name.to_owned()))
    }
}

impl Canon for Offer {
    fn encode(&self, out: &mut Encoder) {
        begin(out, "pair-offer");
        self.keys.encode(out);
        out.bytes(&self.name);
        out.fixed(&self.nonce);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        input.label("pair-offer")?;
        input.suite()?;
        Ok(Self {
            keys: Canon::decode(input)?,
            name: input.bytes(SEALED_NAME_LIMIT)?.to_vec(),
            nonce: input.fixed()?,
        })
    }
}

/// The old device's second message, after it took the offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reveal {
    /// The nonce that the invitation commits to.
    pub nonce: PairingNonce,
}

impl Canon for Reveal {
    fn encode(&self, out: &mut Encoder) {
        begin(out, "pair-reveal");
        out.fixed(&self.nonce);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        input.label("pair-reveal")?;
        input.suite()?;
        Ok(Self { nonce: input.fixed()? })
    }
}

/// What a new device calls itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceName(String);

impl DeviceName {
    /// Upper bound in bytes.
    pub const LIMIT: usize = 200;

    /// The name, cut where it is too long.
    pub fn new(name: &str) -> Self {
        let end = (0..=name.len().min(Self::LIMIT)).rev().find(|end| name.is_char_boundary(*end));
        Self(name[..end.unwrap_or(0)].to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(super) fn begin(out: &mut Encoder, label: &'static str) {
    out.label(label);
    out.u8(lockstep_proto::SUITE);
}

fn name_context(secrets: &PairingSecrets, device_id: DeviceId) -> Vec<u8> {
    let mut out = Encoder::new();
    begin(&mut out, "pair-name");
    out.fixed(&secrets.rendezvous());
    device_id.encode(&mut out);
    out.into_bytes()
}
