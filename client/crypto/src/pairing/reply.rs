//! The reply: the link that adds the new device, and what the new device needs, sealed to the keys that it offered.
//!
//! HPKE-PSK (RFC 9180, mode 1) with the suite of [`crate::kem`], psk = `HKDF(code, "pair-psk")`, psk_id = the mailbox's
//! name, info = label `pair-info`, suite, the transcript's hash, the link's position and hash. Confidentiality rests on
//! the offered keys, which the words have confirmed; the psk, which has 80 bits where RFC 9180 §9.5 asks for 256, only
//! says that the code was known.

use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::Generation;
use lockstep_proto::log::LogHead;
use lockstep_proto::signin::KsfProfile;
use zeroize::Zeroizing;

use super::message::begin;
use super::{Exchange, PairingMessageError, PairingSecrets, Sent};
use crate::envelope::{OpenError, SealError};
use crate::kem::{self, KemSecret, Psk};
use crate::keys::{Ark, KEY_LENGTH};
use crate::random::Random;
use crate::secret_key::SecretKey;

/// What is sealed has one length, so this bounds what is read.
const SEALED_LIMIT: usize = 2_048;
/// Bytes of what is sealed.
const GRANT_LENGTH: usize = 128;

/// What a new device is given.
pub struct Grant {
    /// ARK.
    pub ark: Ark,
    /// Its generation.
    pub generation: Generation,
    /// The Secret Key.
    pub secret_key: SecretKey,
    /// The profile by which the account's password is stretched: no lower one is accepted (R-KDF).
    pub ksf_profile: KsfProfile,
}

/// The old device's last message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    added: LogHead,
    sealed: Vec<u8>,
}

impl Canon for Reply {
    fn encode(&self, out: &mut Encoder) {
        begin(out, "pair-reply");
        self.added.encode(out);
        out.bytes(&self.sealed);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        input.label("pair-reply")?;
        input.suite()?;
        Ok(Self { added: Canon::decode(input)?, sealed: input.bytes(SEALED_LIMIT)?.to_vec() })
    }
}

/// A reply that was made for this device and this exchange.
pub struct OpenedReply {
    /// The link that adds this device. The server must show it.
    pub added: LogHead,
    /// What it was given. To be compared with the account's log before it is used.
    pub grant: Grant,
}

/// Seals a grant to the keys of the exchange's offer. `added` is the link that puts them into the account's log, which
/// must hold them by now (P6).
///
/// # Errors
/// [`SealError`].
pub fn seal_reply(
    secrets: &PairingSecrets,
    exchange: &Exchange,
    added: LogHead,
    grant: &Grant,
    random: &dyn Random,
) -> Result<Sent<Reply>, SealError> {
    let keys = exchange.offer().keys().map_err(|_| SealError::PublicKey)?;
    let rendezvous = secrets.rendezvous();
    let psk = Psk { key: &secrets.psk, id: &rendezvous };
    let sealed =
        kem::seal_to_with(&keys.kem, Some(&psk), &info(exchange, &added), &grant.to_bytes(), random)?;
    Ok(Sent::make(secrets, Reply { added, sealed }))
}

/// Opens a reply with the new device's DEK.
///
/// # Errors
/// [`PairingMessageError`].
pub fn open_reply(
    secrets: &PairingSecrets,
    exchange: &Exchange,
    key: &KemSecret,
    bytes: &[u8],
) -> Result<OpenedReply, PairingMessageError> {
    let reply: Sent<Reply> = Sent::read(secrets, bytes)?;
    let Reply { added, sealed } = reply.message();
    let rendezvous = secrets.rendezvous();
    let psk = Psk { key: &secrets.psk, id: &rendezvous };
    let opened = key.open_with(Some(&psk), &info(exchange, added), sealed);
    let opened = opened.map_err(|error| match error {
        OpenError::UpdateNeeded { suite } => PairingMessageError::UpdateNeeded(CanonError::UpdateNeeded {
            field: "suite",
            value: u32::from(suite),
        }),
        _ => PairingMessageError::Sealed,
    })?;
    Ok(OpenedReply { added: *added, grant: Grant::from_bytes(&opened)? })
}

impl Grant {
    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(GRANT_LENGTH));
        let mut head = Encoder::new();
        begin(&mut head, "pair-grant");
        self.generation.encode(&mut head);
        self.ksf_profile.encode(&mut head);
        out.extend_from_slice(&head.into_bytes());
        out.extend_from_slice(self.ark.expose_bytes());
        out.extend_from_slice(self.secret_key.expose_bytes());
        out
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, CanonError> {
        let mut input = Decoder::new(bytes);
        input.label("pair-grant")?;
        input.suite()?;
        let generation = Generation::decode(&mut input)?;
        let ksf_profile = KsfProfile::decode(&mut input)?;
        let ark = Ark::from_slice(input.take(KEY_LENGTH)?).map_err(|_| CanonError::Invalid("ARK"))?;
        let secret_key = SecretKey::from_slice(input.take(SecretKey::LENGTH)?);
        let secret_key = secret_key.map_err(|_| CanonError::Invalid("Secret Key"))?;
        input.finish()?;
        Ok(Self { ark, generation, secret_key, ksf_profile })
    }
}

fn info(exchange: &Exchange, added: &LogHead) -> Vec<u8> {
    let mut out = Encoder::new();
    begin(&mut out, "pair-info");
    exchange.transcript().encode(&mut out);
    out.bytes(&canon::to_bytes(added));
    out.into_bytes()
}
