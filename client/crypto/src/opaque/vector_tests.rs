//! A registration and a sign-in with every value that they draw, frozen, and messages that are refused.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use serde_json::{Value, json};

use super::tests::Server;
use super::*;
use crate::password::Password;
use crate::secret_key::SecretKey;
use crate::stretch::Argon2id;
use crate::testing::CountingRandom;

const PARTIES: Parties = Parties { account_id: AccountId([1; 32]), server_id: ServerId([2; 16]) };
const PASSWORD: &str = "correct horse battery staple";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Compares what this program computes with the file, or writes it (`LOCKSTEP_BLESS`), and gives the file's cases.
fn frozen(name: &str, description: &str, cases: Vec<Value>) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/vectors").join(name);
    let produced = json!({ "description": description, "cases": cases });
    if std::env::var_os("LOCKSTEP_BLESS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&produced).unwrap() + "\n").unwrap();
    }
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(file, produced, "{name} is frozen");
    file["cases"].as_array().unwrap().clone()
}

fn password() -> OpaquePassword {
    let secret_key = SecretKey::from_bytes(*b"sixteen bytes..!");
    Password::new(PASSWORD).unwrap().derive_opaque(&secret_key, &PARTIES.account_id)
}

fn stretching() -> Stretching {
    Stretching { stretch: Arc::new(Argon2id), profile: KsfProfile::Profile1 }
}

/// One registration, then one sign-in as far as KE1.
struct Run {
    server: Server,
    registration: Registration,
    request: Vec<u8>,
    response: Vec<u8>,
    registered: Registered,
    login: Login,
    ke1: Vec<u8>,
}

impl Run {
    fn new() -> Self {
        Self::at(Server::new())
    }

    fn at(mut server: Server) -> Self {
        let (random, password) = (CountingRandom::default(), password());
        let (registration, request) = Registration::start(&password, &random).unwrap();
        let response = server.register(&request);
        let registered = registration.clone();
        let registered = registered.finish(&password, &response, &PARTIES, &stretching(), &random).unwrap();
        server.keep(&registered.upload);
        let (login, ke1) = Login::start(&password, &random).unwrap();
        Self { server, registration, request, response, registered, login, ke1 }
    }

    fn ke2(&self, context: &[u8], parties: &Parties) -> Vec<u8> {
        self.server.answer_in(&self.ke1, parties, context).1
    }

    /// The client's answer to this KE2: the rule that it breaks, if it does.
    fn finish(&self, ke2: &[u8]) -> Result<LoggedIn, OpaqueError> {
        let random = CountingRandom::default();
        self.login.clone().finish(&password(), ke2, &PARTIES, &stretching(), &random)
    }
}

fn context(profile: u16, server_id: [u8; 16]) -> Vec<u8> {
    [&b"LS1/opaque\0\x01"[..], &profile.to_be_bytes(), &server_id].concat()
}

fn case(run: &Run, ke2: &[u8], server_state: &[u8], done: &LoggedIn) -> Value {
    // As opaque-ke keeps its states: blind, then what was sent; of KE1 the ephemeral key and the nonce behind.
    let (registration, login) = (run.registration.0.serialize(), run.login.0.serialize());
    let setup = run.server.setup.serialize();
    json!({
        "name": "registration, then a sign-in",
        "password": PASSWORD,
        "secret_key": hex(b"sixteen bytes..!"),
        "account_id": hex(&PARTIES.account_id.0),
        "server_id": hex(&PARTIES.server_id.0),
        "profile": 1,
        "opaque_pw": hex(password().expose_bytes()),
        "context": hex(&context(1, PARTIES.server_id.0)),
        "oprf_seed": hex(&setup[..64]),
        "server_private_key": hex(&setup[64..96]),
        "server_public_key": hex(&run.server.public_key()),
        "blind_registration": hex(&registration[..32]),
        "registration_request": hex(&run.request),
        "registration_response": hex(&run.response),
        "registration_upload": hex(&run.registered.upload),
        "blind_login": hex(&login[..32]),
        "client_private_keyshare": hex(&login[128..160]),
        "client_nonce": hex(&login[160..]),
        "ke1": hex(&run.ke1),
        "ke2": hex(ke2),
        "ke3": hex(&done.ke3),
        "export_key": hex(done.export_key.expose_bytes()),
        "session_key": hex(&server_state[..64]),
    })
}

/// The states of a client, from what a case holds.
fn states(case: &Value) -> (Registration, Login) {
    let member = |name: &str| unhex(&case[name]);
    let registration = [member("blind_registration"), member("registration_request")].concat();
    let login =
        [member("blind_login"), member("ke1"), member("client_private_keyshare"), member("client_nonce")];
    let registration = ClientRegistration::deserialize(&registration).unwrap();
    (Registration(registration), Login(ClientLogin::deserialize(&login.concat()).unwrap()))
}

#[test]
fn a_registration_and_a_sign_in_are_frozen() {
    let run = Run::new();
    let right = context(1, PARTIES.server_id.0);
    assert_eq!(right, opaque_context(&PARTIES.server_id, KsfProfile::Profile1));
    let (state, ke2) = run.server.answer_in(&run.ke1, &PARTIES, &right);
    let done = run.finish(&ke2).unwrap();
    let description = "OPAQUE (RFC 9807) as §9 binds it, with what both sides draw but the server's ephemeral key, which KE2 \
        shows as a public key. The envelope's nonce stands in the upload, masking and server nonce in KE2. The upload is the record.";
    for case in frozen("opaque.json", description, vec![case(&run, &ke2, &state.serialize(), &done)]) {
        let (registration, login) = states(&case);
        let (password, random) = (password(), CountingRandom::default());
        assert_eq!(hex(password.expose_bytes()), case["opaque_pw"]);
        let response = unhex(&case["registration_response"]);
        let again = registration.finish(&password, &response, &PARTIES, &stretching(), &random).unwrap();
        // The upload's envelope has a nonce of its own; the client's public key and the masking key do not depend on
        // it.
        assert_eq!(again.server_public_key.to_vec(), unhex(&case["server_public_key"]));
        let done = login.finish(&password, &unhex(&case["ke2"]), &PARTIES, &stretching(), &random).unwrap();
        assert_eq!(done.ke3, unhex(&case["ke3"]));
        assert_eq!(done.export_key.expose_bytes().to_vec(), unhex(&case["export_key"]));
        assert_eq!(done.session_key.expose_bytes().to_vec(), unhex(&case["session_key"]));
    }
}

/// Name, message, bytes.
type Tried = (&'static str, &'static str, &'static str, Vec<u8>);

const LENGTH: &str = "R-OPAQUE (1)";
const ELEMENT: &str = "R-OPAQUE (2)";
const PROOF: &str = "R-OPAQUE (3)";
const SERVER_KEY: &str = "R-OPAQUE (4)";

/// A message in wrong lengths, and with its group elements, at these places, replaced by what is none.
fn broken(message: &'static str, honest: &[u8], elements: &[usize]) -> Vec<Tried> {
    let mut tried = vec![
        ("", "honest", message, honest.to_vec()),
        (LENGTH, "nothing", message, Vec::new()),
        (LENGTH, "a byte less", message, honest[..honest.len() - 1].to_vec()),
        (LENGTH, "a byte behind it", message, [honest, &[0]].concat()),
    ];
    for at in elements {
        let with = |element: [u8; 32]| [&honest[..*at], &element, &honest[at + 32..]].concat();
        tried.push((ELEMENT, "the identity", message, with([0; 32])));
        tried.push((ELEMENT, "no canonical encoding", message, with([0xff; 32])));
        // Odd, which is negative, and no encoding begins with.
        let mut negative = [0; 32];
        negative[0] = 1;
        tried.push((ELEMENT, "a negative number", message, with(negative)));
    }
    tried
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

fn tried(run: &Run) -> Vec<Tried> {
    let right = context(1, PARTIES.server_id.0);
    let ke2 = run.ke2(&right, &PARTIES);
    let ke3 = run.finish(&ke2).unwrap().ke3;
    let mut tried = broken("registration request", &run.request, &[0]);
    tried.extend(broken("registration response", &run.response, &[0, 32]));
    tried.extend(broken("registration upload", &run.registered.upload, &[0]));
    tried.extend(broken("KE1", &run.ke1, &[0, 64]));
    // Behind the evaluated element: masking nonce, masked response, server nonce, server's key share, MAC.
    tried.extend(broken("KE2", &ke2, &[0, 224]));
    tried.extend(broken("KE3", &ke3, &[]));
    let others = [
        ("another masking nonce", flipped(&ke2, 32)),
        ("another masked server key", flipped(&ke2, 64)),
        ("another masked envelope", flipped(&ke2, 96)),
        ("another server nonce", flipped(&ke2, 192)),
        ("another MAC", flipped(&ke2, 319)),
        ("profile 2 in the server's context", run.ke2(&context(2, PARTIES.server_id.0), &PARTIES)),
        ("another server's id in the context", run.ke2(&context(1, [3; 16]), &PARTIES)),
        ("another server's identity", run.ke2(&right, &Parties { server_id: ServerId([3; 16]), ..PARTIES })),
        (
            "another account's identity",
            run.ke2(&right, &Parties { account_id: AccountId([3; 32]), ..PARTIES }),
        ),
        ("an account that is not there", Server::new().answer_in(&run.ke1, &PARTIES, &right).1),
        ("the answer to another KE1", {
            let (_, ke1) = Login::start(&password(), &CountingRandom::default()).unwrap();
            run.server.answer_in(&ke1, &PARTIES, &right).1
        }),
    ];
    tried.extend(others.map(|(name, bytes)| (PROOF, name, "KE2", bytes)));
    tried.push((PROOF, "another MAC", "KE3", flipped(&ke3, 63)));
    // It knows the password, or was told it, and makes up a record for a server key of its own.
    let fake = Run::at(Server::with(CountingRandom::after(1_000))).server;
    let other_key = fake.answer_in(&run.ke1, &PARTIES, &right).1;
    tried.push((SERVER_KEY, "another server, at which the same password was registered", "KE2", other_key));
    tried
}

/// Whether whoever is sent this message refuses it. The server's half is this library's; the server's own test reads
/// the same file.
fn is_refused(run: &Run, message: &str, bytes: &[u8], server_key: &[u8]) -> bool {
    let random = CountingRandom::default();
    match message {
        "registration response" => {
            let state = run.registration.clone();
            state.finish(&password(), bytes, &PARTIES, &stretching(), &random).is_err()
        }
        "KE2" => run.finish(bytes).map_or(true, |done| done.server_public_key != *server_key),
        _ => panic!("for the server"),
    }
}

#[test]
fn messages_that_are_refused() {
    let run = Run::new();
    let cases = tried(&run).into_iter().map(|(rule, name, message, bytes)| {
        let mut case = json!({ "name": name, "message": message, "bytes": hex(&bytes) });
        if !rule.is_empty() {
            case["rule"] = json!(rule);
        }
        case
    });
    let description = "Messages of OPAQUE to who has the state of the case in opaque.json: the server (registration request, \
        registration upload, KE1, KE3) or the client (registration response, KE2). Those without a rule are taken; all others \
        are refused, by the rule that is named.";
    for case in frozen("refused_opaque.json", description, cases.collect()) {
        let message = case["message"].as_str().unwrap();
        if ["registration response", "KE2"].contains(&message) {
            let refused = is_refused(&run, message, &unhex(&case["bytes"]), &run.server.public_key());
            assert_eq!(refused, case["rule"].is_string(), "{} of {message}", case["name"]);
        }
    }
}
