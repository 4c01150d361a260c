//! The client half of OPAQUE (RFC 9807): ristretto255-SHA512, 3DH with SHA-512, KSF Argon2id with a salt of 16 zero
//! bytes. The only module that names opaque-ke.
//!
//! **Invariants:** what OPAQUE takes for a password already holds the Secret Key; identities and context are always
//! bound; the profile is the caller's, never the server's; a state finishes with one message, however often it is
//! cloned.

use std::sync::Arc;

use lockstep_proto::ids::{AccountId, ServerId};
use lockstep_proto::signin::{KsfProfile, client_identity, opaque_context, server_identity};
use opaque_ke::errors::{InternalError, ProtocolError};
use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialResponse, Identifiers, RegistrationResponse,
};
use zeroize::Zeroizing;

use crate::password::OpaquePassword;
use crate::random::Random;
use crate::stretch::Stretch;

mod suite;
#[cfg(feature = "testing")]
pub mod test_server;

use suite::{ClientSuite, OpaqueRandom, StretchKsf};

/// Why registering or signing in did not come about. Nothing was stored or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpaqueError {
    /// The password or the Secret Key is not the one registered, or the server is not the one it was registered at,
    /// or it named another profile: OPAQUE cannot tell these apart.
    #[error("the password or the Secret Key is wrong, or this is not the server of this account")]
    WrongPassword,
    /// What the server sent is not a message of this protocol.
    #[error("the server's answer cannot be read")]
    Message,
    /// The key could not be stretched, for lack of memory.
    #[error("there is not enough memory to unlock: close other programs and try again")]
    Stretch,
}

impl From<ProtocolError> for OpaqueError {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::InvalidLoginError => Self::WrongPassword,
            ProtocolError::LibraryError(InternalError::KsfError) => Self::Stretch,
            _ => Self::Message,
        }
    }
}

/// The account and the server that a run is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parties {
    /// The client's identity.
    pub account_id: AccountId,
    /// The server's identity.
    pub server_id: ServerId,
}

impl Parties {
    fn identifiers(&self) -> Identifiers<'_> {
        Identifiers {
            client: Some(client_identity(&self.account_id)),
            server: Some(server_identity(&self.server_id)),
        }
    }
}

/// How the key is stretched: by whom, and at what cost.
#[derive(Clone)]
pub struct Stretching {
    /// Who stretches.
    pub stretch: Arc<dyn Stretch>,
    /// The profile; R-KDF is the caller's check.
    pub profile: KsfProfile,
}

macro_rules! output_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(Zeroizing<[u8; 64]>);

        impl $name {
            /// The key with these bytes.
            pub fn from_bytes(bytes: [u8; 64]) -> Self {
                Self(Zeroizing::new(bytes))
            }

            /// The bytes.
            pub fn expose_bytes(&self) -> &[u8; 64] {
                &self.0
            }
        }
    };
}

output_key!(
    /// OPAQUE's export key: known to the client alone, the same at every sign-in with one record.
    ExportKey
);
output_key!(
    /// OPAQUE's session key: shared with the server for one sign-in.
    SessionKey
);

/// A registration between its two messages. A clone serves to learn what would be stretched (with a
/// [`Stretch`] that only notes its input), so that the stretching itself can run elsewhere.
#[derive(Clone)]
pub struct Registration(ClientRegistration<ClientSuite>);

/// A registration's outcome.
pub struct Registered {
    /// The registration upload, which is the record that the server keeps.
    pub upload: Vec<u8>,
    /// The export key.
    pub export_key: ExportKey,
    /// The server's static public key, as the account's log names it.
    pub server_public_key: [u8; 32],
}

impl Registration {
    /// Starts: the state, and the request to send.
    ///
    /// # Errors
    /// [`OpaqueError::Message`] never happens for a password of this type; the library's signature allows it.
    pub fn start(password: &OpaquePassword, random: &dyn Random) -> Result<(Self, Vec<u8>), OpaqueError> {
        let started = ClientRegistration::start(&mut OpaqueRandom(random), password.expose_bytes())?;
        Ok((Self(started.state), started.message.serialize().to_vec()))
    }

    /// Finishes with the server's response. Blocks for as long as the profile costs.
    ///
    /// # Errors
    /// [`OpaqueError::Message`] or [`OpaqueError::Stretch`].
    pub fn finish(
        self,
        password: &OpaquePassword,
        response: &[u8],
        parties: &Parties,
        stretching: &Stretching,
        random: &dyn Random,
    ) -> Result<Registered, OpaqueError> {
        let bytes = response;
        let response = RegistrationResponse::deserialize(bytes)?;
        check_whole(bytes, &response.serialize())?;
        let ksf = StretchKsf::new(stretching);
        let parameters = ClientRegistrationFinishParameters::new(parties.identifiers(), Some(&ksf));
        let mut rng = OpaqueRandom(random);
        let finished = self.0.finish(&mut rng, password.expose_bytes(), response, parameters)?;
        Ok(Registered {
            upload: finished.message.serialize().to_vec(),
            export_key: ExportKey::from_bytes(finished.export_key.into()),
            server_public_key: finished.server_s_pk.serialize().into(),
        })
    }
}

/// A sign-in between KE1 and KE2. A clone serves to learn what would be stretched (with a
/// [`Stretch`] that only notes its input), so that the stretching itself can run elsewhere.
#[derive(Clone)]
pub struct Login(ClientLogin<ClientSuite>);

/// A sign-in's outcome. The server counts it only once it has seen KE3.
pub struct LoggedIn {
    /// KE3, to send.
    pub ke3: Vec<u8>,
    /// The export key.
    pub export_key: ExportKey,
    /// The session key.
    pub session_key: SessionKey,
    /// The server's static public key: compare it with the log before storing anything.
    pub server_public_key: [u8; 32],
}

impl Login {
    /// Starts: the state, and KE1 to send.
    ///
    /// # Errors
    /// [`OpaqueError::Message`] never happens for a password of this type; the library's signature allows it.
    pub fn start(password: &OpaquePassword, random: &dyn Random) -> Result<(Self, Vec<u8>), OpaqueError> {
        let started = ClientLogin::start(&mut OpaqueRandom(random), password.expose_bytes())?;
        Ok((Self(started.state), started.message.serialize().to_vec()))
    }

    /// Finishes with the server's KE2. Blocks for as long as the profile costs. The profile is also bound into the
    /// context, so a server that believes in another one is found out.
    ///
    /// # Errors
    /// [`OpaqueError`].
    pub fn finish(
        self,
        password: &OpaquePassword,
        ke2: &[u8],
        parties: &Parties,
        stretching: &Stretching,
        random: &dyn Random,
    ) -> Result<LoggedIn, OpaqueError> {
        let bytes = ke2;
        let ke2 = CredentialResponse::deserialize(bytes)?;
        check_whole(bytes, &ke2.serialize())?;
        let context = opaque_context(&parties.server_id, stretching.profile);
        let ksf = StretchKsf::new(stretching);
        let parameters = ClientLoginFinishParameters::new(Some(&context), parties.identifiers(), Some(&ksf));
        let mut rng = OpaqueRandom(random);
        let finished = self.0.finish(&mut rng, password.expose_bytes(), ke2, parameters)?;
        Ok(LoggedIn {
            ke3: finished.message.serialize().to_vec(),
            export_key: ExportKey::from_bytes(finished.export_key.into()),
            session_key: SessionKey::from_bytes(finished.session_key.into()),
            server_public_key: finished.server_s_pk.serialize().into(),
        })
    }
}

/// The library ignores what follows a message; nothing may follow.
fn check_whole(received: &[u8], message: &[u8]) -> Result<(), OpaqueError> {
    if received == message { Ok(()) } else { Err(OpaqueError::Message) }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vector_tests;
