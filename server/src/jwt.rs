//! Session tokens of devices: EdDSA JWTs that name account and device, for this server only, for ten minutes.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use lockstep_domain::{Caller, Clock};
use lockstep_proto::api::SESSION_SECONDS;
use lockstep_proto::api::session::Session;
use lockstep_proto::ids::{AccountId, DeviceId, ServerId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// PKCS#8 (RFC 8410) around an Ed25519 seed.
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

#[derive(Serialize, Deserialize)]
struct Claims {
    /// The server.
    aud: String,
    /// The account.
    sub: AccountId,
    /// The device.
    dev: DeviceId,
    /// Seconds since 1970.
    iat: u64,
    /// Seconds since 1970.
    exp: u64,
}

/// Why a token is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// This server did not make it.
    Foreign,
    /// It was good once.
    Ended,
}

/// Makes and reads tokens.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    server_id: ServerId,
    clock: Arc<dyn Clock>,
}

impl Tokens {
    pub(crate) fn new(seed: &[u8; 32], server_id: ServerId, clock: Arc<dyn Clock>) -> Self {
        let mut der = Zeroizing::new(PKCS8_PREFIX.to_vec());
        der.extend_from_slice(seed);
        let public = SigningKey::from_bytes(seed).verifying_key();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[server_id.to_string()]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        // The time comes from the Clock port, below.
        validation.validate_exp = false;
        Self {
            encoding: EncodingKey::from_ed_der(&der),
            decoding: DecodingKey::from_ed_der(public.as_bytes()),
            validation,
            server_id,
            clock,
        }
    }

    /// A session for a device; `None` if signing fails or the caller is no device.
    pub(crate) fn make_session(&self, caller: Caller) -> Option<Session> {
        let iat = self.clock.now_ms() / 1_000;
        let exp = iat.saturating_add(u64::from(SESSION_SECONDS));
        let aud = self.server_id.to_string();
        let claims = Claims { aud, sub: caller.account_id(), dev: caller.device_id()?, iat, exp };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &self.encoding).ok()?;
        Some(Session { token, expires_ms: exp.saturating_mul(1_000) })
    }

    /// Whom a token names.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn read(&self, token: &str) -> Result<(AccountId, DeviceId), TokenError> {
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation);
        let claims = decoded.map_err(|_| TokenError::Foreign)?.claims;
        if self.clock.now_ms() / 1_000 < claims.exp {
            Ok((claims.sub, claims.dev))
        } else {
            Err(TokenError::Ended)
        }
    }
}
