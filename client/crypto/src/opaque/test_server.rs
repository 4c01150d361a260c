//! The server half of OPAQUE, for tests of clients: it holds no records and never stretches.

#![allow(clippy::unwrap_used, reason = "only tests are built with it")]

use lockstep_proto::signin::{KsfProfile, client_identity, opaque_context};
use opaque_ke::ksf::Identity;
use opaque_ke::{
    CipherSuite, CredentialFinalization, CredentialRequest, RegistrationRequest, RegistrationUpload,
    Ristretto255, ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup, TripleDh,
};

use super::Parties;
use super::suite::OpaqueRandom;
use crate::random::Random;

struct ServerSuite;

impl CipherSuite for ServerSuite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, sha2_010::Sha512>;
    type Ksf = Identity;
}

/// A server's OPAQUE set-up.
pub struct TestServer(ServerSetup<ServerSuite>);

/// A sign-in between KE2 and KE3.
pub struct TestLogin {
    state: ServerLogin<ServerSuite>,
    parties: Parties,
    profile: KsfProfile,
}

impl TestServer {
    /// A new set-up.
    pub fn make(random: &dyn Random) -> Self {
        Self(ServerSetup::new(&mut OpaqueRandom(random)))
    }

    /// The static public key.
    pub fn public_key(&self) -> [u8; 32] {
        self.0.keypair().public().serialize().into()
    }

    /// Answers a registration request; `None` for bytes that are none.
    pub fn register(&self, parties: &Parties, request: &[u8]) -> Option<Vec<u8>> {
        let request = RegistrationRequest::deserialize(request).ok()?;
        let started =
            ServerRegistration::start(&self.0, request, client_identity(&parties.account_id)).ok()?;
        Some(started.message.serialize().to_vec())
    }

    /// Answers KE1 for a registration upload, or for an account without one.
    pub fn answer(
        &self,
        parties: &Parties,
        profile: KsfProfile,
        upload: Option<&[u8]>,
        ke1: &[u8],
        random: &dyn Random,
    ) -> Option<(TestLogin, Vec<u8>)> {
        let record = upload.map(|upload| {
            ServerRegistration::<ServerSuite>::finish(RegistrationUpload::deserialize(upload).unwrap())
        });
        let context = opaque_context(&parties.server_id, profile);
        let parameters =
            ServerLoginParameters { context: Some(&context), identifiers: parties.identifiers() };
        let started = ServerLogin::start(
            &mut OpaqueRandom(random),
            &self.0,
            record,
            CredentialRequest::deserialize(ke1).ok()?,
            client_identity(&parties.account_id),
            parameters,
        );
        let started = started.ok()?;
        let ke2 = started.message.serialize().to_vec();
        Some((TestLogin { state: started.state, parties: *parties, profile }, ke2))
    }
}

impl TestLogin {
    /// Whether KE3 proves the password.
    pub fn accepts(self, ke3: &[u8]) -> bool {
        let context = opaque_context(&self.parties.server_id, self.profile);
        let identifiers = self.parties.identifiers();
        let parameters = ServerLoginParameters { context: Some(&context), identifiers };
        CredentialFinalization::deserialize(ke3).is_ok_and(|ke3| self.state.finish(ke3, parameters).is_ok())
    }
}
