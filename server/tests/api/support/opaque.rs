//! The client half of OPAQUE, without stretching: the server never sees whether there was any.

use lockstep_domain::Random as _;
use lockstep_proto::ids::{AccountId, ServerId};
use lockstep_proto::signin::{KsfProfile, client_identity, opaque_context, server_identity};
use lockstep_server::SystemRandom;
use opaque_ke::ksf::Identity;
use opaque_ke::rand::{CryptoRng, Error, RngCore};
use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialResponse, Identifiers, RegistrationResponse, Ristretto255,
    TripleDh,
};

struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, sha2_010::Sha512>;
    type Ksf = Identity;
}

struct Rng;

impl CryptoRng for Rng {}

impl RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        SystemRandom.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

pub(crate) struct Registration(ClientRegistration<Suite>);

impl Registration {
    pub(crate) fn start(password: &[u8]) -> (Self, Vec<u8>) {
        let started = ClientRegistration::<Suite>::start(&mut Rng, password).unwrap();
        (Self(started.state), started.message.serialize().to_vec())
    }

    pub(crate) fn finish(
        self,
        password: &[u8],
        response: &[u8],
        account: &AccountId,
        server: &ServerId,
    ) -> Vec<u8> {
        let response = RegistrationResponse::deserialize(response).unwrap();
        let parameters = ClientRegistrationFinishParameters::new(identifiers(account, server), None);
        self.0.finish(&mut Rng, password, response, parameters).unwrap().message.serialize().to_vec()
    }
}

pub(crate) struct Login(ClientLogin<Suite>);

impl Login {
    pub(crate) fn start(password: &[u8]) -> (Self, Vec<u8>) {
        let started = ClientLogin::<Suite>::start(&mut Rng, password).unwrap();
        (Self(started.state), started.message.serialize().to_vec())
    }

    /// `None` when the answer does not fit the password.
    pub(crate) fn finish(
        self,
        password: &[u8],
        ke2: &[u8],
        account: &AccountId,
        server: &ServerId,
    ) -> Option<Vec<u8>> {
        let context = opaque_context(server, KsfProfile::CURRENT);
        let parameters = ClientLoginFinishParameters::new(Some(&context), identifiers(account, server), None);
        let response = CredentialResponse::deserialize(ke2).unwrap();
        let finished = self.0.finish(&mut Rng, password, response, parameters).ok()?;
        Some(finished.message.serialize().to_vec())
    }
}

fn identifiers<'a>(account: &'a AccountId, server: &'a ServerId) -> Identifiers<'a> {
    Identifiers { client: Some(client_identity(account)), server: Some(server_identity(server)) }
}
