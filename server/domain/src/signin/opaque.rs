//! The server half of OPAQUE (RFC 9807): ristretto255-SHA512, 3DH, identity KSF, since the server never stretches.

use lockstep_proto::ids::{AccountId, ServerId};
use lockstep_proto::signin::{KsfProfile, client_identity, opaque_context, server_identity};
use opaque_ke::ksf::Identity;
use opaque_ke::rand::{CryptoRng, Error, RngCore};
use opaque_ke::{
    CipherSuite, CredentialFinalization, CredentialRequest, Identifiers, RegistrationRequest, Ristretto255,
    ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup, TripleDh,
};
use zeroize::Zeroizing;

use crate::ports::{Random, make_bytes};
use crate::store::StoredRecord;

/// What the other side sent is not what the protocol wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpaqueError {
    /// A message, record or set-up cannot be read.
    #[error("the OPAQUE message cannot be read")]
    Format,
    /// The last message does not prove the password.
    #[error("the OPAQUE sign-in does not prove the password")]
    Proof,
}

/// Bytes of a `RegistrationUpload`: a public key, a masking key, an envelope.
const UPLOAD_LENGTH: usize = 32 + 64 + 96;

struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, sha2_010::Sha512>;
    type Ksf = Identity;
}

/// The server's keys of OPAQUE, bound to the server's id.
pub struct OpaqueServer {
    setup: ServerSetup<Suite>,
    server_id: ServerId,
    /// A record that can be read and that nobody has.
    nobodys_upload: Vec<u8>,
}

/// A sign-in that waits for its last message.
pub struct OpaqueLogin {
    account_id: AccountId,
    profile: KsfProfile,
    state: ServerLogin<Suite>,
}

/// A sign-in and what is sent to the client.
pub struct StartedLogin {
    /// What waits here.
    pub login: OpaqueLogin,
    /// The profile of the account's record, or the current one where there is none.
    pub profile: KsfProfile,
    /// `KE2`.
    pub ke2: Vec<u8>,
}

impl OpaqueLogin {
    /// The account that signs in.
    pub fn account_id(&self) -> AccountId {
        self.account_id
    }
}

impl OpaqueServer {
    /// The bytes of a fresh set-up.
    pub fn make_setup(random: &dyn Random) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(ServerSetup::<Suite>::new(&mut PortRng(random)).serialize().to_vec())
    }

    /// The server whose set-up this is.
    ///
    /// # Errors
    /// [`OpaqueError::Format`].
    pub fn from_setup(setup: &[u8], server_id: ServerId) -> Result<Self, OpaqueError> {
        let bytes = setup;
        let setup = ServerSetup::<Suite>::deserialize(bytes).map_err(|_| OpaqueError::Format)?;
        check_whole(&setup.serialize(), bytes)?;
        let mut nobodys_upload = setup.keypair().public().serialize().to_vec();
        nobodys_upload.resize(UPLOAD_LENGTH, 0);
        ServerRegistration::<Suite>::deserialize(&nobodys_upload).map_err(|_| OpaqueError::Format)?;
        Ok(Self { setup, server_id, nobodys_upload })
    }

    /// The public key that clients find in their log.
    pub fn public_key(&self) -> Vec<u8> {
        self.setup.keypair().public().serialize().to_vec()
    }

    /// Answers a `RegistrationRequest`. Nothing is kept.
    ///
    /// # Errors
    /// [`OpaqueError::Format`].
    pub fn registration(&self, account_id: &AccountId, request: &[u8]) -> Result<Vec<u8>, OpaqueError> {
        let message = RegistrationRequest::deserialize(request).map_err(|_| OpaqueError::Format)?;
        check_whole(&message.serialize(), request)?;
        let started = ServerRegistration::<Suite>::start(&self.setup, message, client_identity(account_id));
        Ok(started.map_err(|_| OpaqueError::Format)?.message.serialize().to_vec())
    }

    /// Checks that a `RegistrationUpload` can be signed in to.
    ///
    /// # Errors
    /// [`OpaqueError::Format`].
    pub fn check_upload(&self, upload: &[u8]) -> Result<(), OpaqueError> {
        let record = ServerRegistration::<Suite>::deserialize(upload).map_err(|_| OpaqueError::Format)?;
        check_whole(&record.serialize(), upload)
    }

    /// Answers `KE1`. Without a record the answer is one that cannot be told apart and that no password fits.
    ///
    /// # Errors
    /// [`OpaqueError::Format`].
    pub fn start(
        &self,
        random: &dyn Random,
        account_id: AccountId,
        record: Option<&StoredRecord>,
        ke1: &[u8],
    ) -> Result<StartedLogin, OpaqueError> {
        let request = CredentialRequest::deserialize(ke1).map_err(|_| OpaqueError::Format)?;
        check_whole(&request.serialize(), ke1)?;
        let profile = record.map_or(KsfProfile::CURRENT, |record| record.profile);
        // Reading a record takes its time, and is done where there is none, too.
        let upload = record.map_or(&self.nobodys_upload[..], |record| &record.upload);
        let read = ServerRegistration::deserialize(upload).map_err(|_| OpaqueError::Format)?;
        let file = std::hint::black_box(read);
        let file = record.is_some().then_some(file);
        let context = opaque_context(&self.server_id, profile);
        let started = ServerLogin::start(
            &mut PortRng(random),
            &self.setup,
            file,
            request,
            client_identity(&account_id),
            self.parameters(&account_id, &context),
        )
        .map_err(|_| OpaqueError::Format)?;
        let login = OpaqueLogin { account_id, profile, state: started.state };
        Ok(StartedLogin { login, profile, ke2: started.message.serialize().to_vec() })
    }

    /// Checks `KE3`.
    ///
    /// # Errors
    /// [`OpaqueError::Proof`] for a wrong password, Secret Key or account, [`OpaqueError::Format`].
    pub fn finish(&self, login: OpaqueLogin, ke3: &[u8]) -> Result<(), OpaqueError> {
        let message = CredentialFinalization::<Suite>::deserialize(ke3).map_err(|_| OpaqueError::Format)?;
        check_whole(&message.serialize(), ke3)?;
        let context = opaque_context(&self.server_id, login.profile);
        let parameters = self.parameters(&login.account_id, &context);
        login.state.finish(message, parameters).map(|_| ()).map_err(|_| OpaqueError::Proof)
    }

    fn parameters<'a>(
        &'a self,
        account_id: &'a AccountId,
        context: &'a [u8],
    ) -> ServerLoginParameters<'a, 'a> {
        ServerLoginParameters {
            context: Some(context),
            identifiers: Identifiers {
                client: Some(client_identity(account_id)),
                server: Some(server_identity(&self.server_id)),
            },
        }
    }
}

/// `opaque-ke` reads a message from the start of its input and ignores what follows; here nothing may.
fn check_whole(read: &[u8], input: &[u8]) -> Result<(), OpaqueError> {
    if read == input { Ok(()) } else { Err(OpaqueError::Format) }
}

/// The port as the generator that `opaque-ke` wants.
struct PortRng<'a>(&'a dyn Random);

impl CryptoRng for PortRng<'_> {}

impl RngCore for PortRng<'_> {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(make_bytes(self.0))
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(make_bytes(self.0))
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod vector_tests;
