//! The client against a server half that never stretches.

#![allow(clippy::unwrap_used)]

use opaque_ke::ksf::Identity;
use opaque_ke::{
    CipherSuite, CredentialFinalization, CredentialRequest, RegistrationRequest, RegistrationUpload,
    Ristretto255, ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup, TripleDh,
};

use super::*;
use crate::password::Password;
use crate::secret_key::SecretKey;
use crate::stretch::{Argon2id, CheapStretch, StretchError};
use crate::testing::CountingRandom;

/// The server half never stretches.
pub(super) struct ServerSuite;

impl CipherSuite for ServerSuite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, sha2_010::Sha512>;
    type Ksf = Identity;
}

const PARTIES: Parties = Parties { account_id: AccountId([1; 32]), server_id: ServerId([2; 16]) };

pub(super) struct Server {
    pub(super) setup: ServerSetup<ServerSuite>,
    record: Option<Vec<u8>>,
    random: CountingRandom,
}

impl Server {
    pub(super) fn new() -> Self {
        Self::with(CountingRandom::default())
    }

    pub(super) fn with(random: CountingRandom) -> Self {
        let setup = ServerSetup::new(&mut OpaqueRandom(&random));
        Self { setup, record: None, random }
    }

    pub(super) fn public_key(&self) -> [u8; 32] {
        self.setup.keypair().public().serialize().into()
    }

    pub(super) fn register(&self, request: &[u8]) -> Vec<u8> {
        let request = RegistrationRequest::deserialize(request).unwrap();
        let started = ServerRegistration::start(&self.setup, request, PARTIES.account_id.as_bytes()).unwrap();
        started.message.serialize().to_vec()
    }

    pub(super) fn keep(&mut self, upload: &[u8]) {
        let record =
            ServerRegistration::<ServerSuite>::finish(RegistrationUpload::deserialize(upload).unwrap());
        self.record = Some(record.serialize().to_vec());
    }

    fn answer(&self, ke1: &[u8], parties: &Parties) -> (ServerLogin<ServerSuite>, Vec<u8>) {
        self.answer_in(ke1, parties, &opaque_context(&parties.server_id, KsfProfile::Profile1))
    }

    /// The same where the server binds another context.
    pub(super) fn answer_in(
        &self,
        ke1: &[u8],
        parties: &Parties,
        context: &[u8],
    ) -> (ServerLogin<ServerSuite>, Vec<u8>) {
        let parameters = ServerLoginParameters { context: Some(context), identifiers: parties.identifiers() };
        let record = self.record.as_ref().map(|record| ServerRegistration::deserialize(record).unwrap());
        let started = ServerLogin::start(
            &mut OpaqueRandom(&self.random),
            &self.setup,
            record,
            CredentialRequest::deserialize(ke1).unwrap(),
            PARTIES.account_id.as_bytes(),
            parameters,
        )
        .unwrap();
        (started.state, started.message.serialize().to_vec())
    }

    fn accept(&self, state: ServerLogin<ServerSuite>, ke3: &[u8]) -> Option<[u8; 64]> {
        let context = opaque_context(&PARTIES.server_id, KsfProfile::Profile1);
        let parameters =
            ServerLoginParameters { context: Some(&context), identifiers: PARTIES.identifiers() };
        let ke3 = CredentialFinalization::deserialize(ke3).unwrap();
        state.finish(ke3, parameters).ok().map(|finished| finished.session_key.into())
    }
}

fn cheap() -> Stretching {
    Stretching { stretch: Arc::new(CheapStretch), profile: KsfProfile::Profile1 }
}

fn password(text: &str, secret_key: u8) -> OpaquePassword {
    Password::new(text).unwrap().derive_opaque(&SecretKey::from_bytes([secret_key; 16]), &PARTIES.account_id)
}

fn registered(stretching: &Stretching) -> (Server, Registered) {
    let mut server = Server::new();
    let (random, password) = (CountingRandom::default(), password("secret", 1));
    let (state, request) = Registration::start(&password, &random).unwrap();
    let response = server.register(&request);
    let registered = state.finish(&password, &response, &PARTIES, stretching, &random).unwrap();
    server.keep(&registered.upload);
    (server, registered)
}

fn log_in(
    server: &Server,
    password: &OpaquePassword,
    stretching: &Stretching,
    told: &Parties,
) -> Result<(ServerLogin<ServerSuite>, LoggedIn), OpaqueError> {
    let random = CountingRandom::default();
    let (state, ke1) = Login::start(password, &random).unwrap();
    let (server_state, ke2) = server.answer(&ke1, told);
    state.finish(password, &ke2, &PARTIES, stretching, &random).map(|done| (server_state, done))
}

#[test]
fn a_server_that_never_stretches_understands_the_client() {
    let stretching = Stretching { stretch: Arc::new(Argon2id), profile: KsfProfile::Profile1 };
    let (server, registered) = registered(&stretching);
    let (state, done) = log_in(&server, &password("secret", 1), &stretching, &PARTIES).unwrap();
    assert_eq!(done.export_key.expose_bytes(), registered.export_key.expose_bytes());
    assert_eq!(done.server_public_key, server.public_key());
    assert_eq!(registered.server_public_key, server.public_key());
    assert_eq!(server.accept(state, &done.ke3).unwrap(), *done.session_key.expose_bytes());
}

#[test]
fn wrong_password_and_wrong_secret_key_are_told_apart_from_a_broken_server() {
    let (server, _) = registered(&cheap());
    for wrong in [password("Secret", 1), password("secret", 2)] {
        assert_eq!(log_in(&server, &wrong, &cheap(), &PARTIES).err(), Some(OpaqueError::WrongPassword));
    }
    let (state, _) = Login::start(&password("secret", 1), &CountingRandom::default()).unwrap();
    let outcome =
        state.finish(&password("secret", 1), &[0; 7], &PARTIES, &cheap(), &CountingRandom::default());
    assert_eq!(outcome.err(), Some(OpaqueError::Message));
}

#[test]
fn an_unknown_account_looks_like_a_wrong_password() {
    let server = Server::new();
    assert_eq!(
        log_in(&server, &password("secret", 1), &cheap(), &PARTIES).err(),
        Some(OpaqueError::WrongPassword)
    );
}

#[test]
fn another_identity_on_the_servers_side_is_refused() {
    let (server, _) = registered(&cheap());
    let others = [
        Parties { server_id: ServerId([9; 16]), ..PARTIES },
        Parties { account_id: AccountId([9; 32]), ..PARTIES },
    ];
    for other in others {
        let outcome = log_in(&server, &password("secret", 1), &cheap(), &other);
        assert_eq!(outcome.err(), Some(OpaqueError::WrongPassword));
    }
}

#[test]
fn every_flipped_byte_of_ke2_is_refused() {
    let (server, _) = registered(&cheap());
    let (random, password) = (CountingRandom::default(), password("secret", 1));
    let ke2_length = server.answer(&Login::start(&password, &random).unwrap().1, &PARTIES).1.len();
    for position in (0..ke2_length).step_by(7) {
        let (state, ke1) = Login::start(&password, &random).unwrap();
        let (_, mut ke2) = server.answer(&ke1, &PARTIES);
        ke2[position] ^= 1;
        assert!(state.finish(&password, &ke2, &PARTIES, &cheap(), &random).is_err(), "byte {position}");
    }
}

#[test]
fn lack_of_memory_is_not_a_wrong_password() {
    struct NoMemory;
    impl Stretch for NoMemory {
        fn stretch(&self, _: KsfProfile, _: &[u8], _: &[u8]) -> Result<Zeroizing<[u8; 64]>, StretchError> {
            Err(StretchError::Memory { memory_kib: 65_536 })
        }
    }
    let (server, _) = registered(&cheap());
    let stretching = Stretching { stretch: Arc::new(NoMemory), profile: KsfProfile::Profile1 };
    let outcome = log_in(&server, &password("secret", 1), &stretching, &PARTIES);
    assert_eq!(outcome.err(), Some(OpaqueError::Stretch));
}
