//! Hostile servers against real clients. Whatever they answer: what they refuse changes nothing, and the truth is
//! still welcome afterwards.
//!
//! **Invariants:** every story asserts the error, what is shown, what waits, and that an honest server heals all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, missing_docs)]

mod canary;
mod every_field;
mod every_field_at_sign_in;
mod first_sync;
mod forge;
mod fork;
mod former_keys;
mod fuzz;
mod history;
mod joins;
mod logs;
mod mutations;
mod old_state;
mod once;
mod oracle;
mod pairing;
mod pairing_fields;
mod pairing_old_state;
mod poison;
mod prose;
mod quarantine;
mod quarantine_header;
mod reanchor;
mod removed;
mod scenarios;
mod scoreboard;
mod session;
mod sign_in;
mod signatures;
mod states;
mod stolen;
mod tampered;
#[path = "../fuzz/targets/mod.rs"]
mod targets;
mod vault_answers;

use std::sync::{Arc, Mutex};

use lockstep_client::ports::{Request, Response};
use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::kem::KemSecret;
use lockstep_native::OsRandom;
use lockstep_proto::blob::{Blob, ItemHeader};
use lockstep_proto::ids::ItemId;
use lockstep_proto::sign::PublicKey;
use lockstep_tests::{TestDevice, TestServer, assert_in_step, decode, encode, two_devices};
use serde::Serialize;
use serde::de::DeserializeOwned;

type Which = fn(&Request) -> bool;

/// Which answer was changed in which way.
type Hit = Arc<Mutex<Option<String>>>;

/// Changes the successful answers to `which` as values of the interface.
fn changed<T: Serialize + DeserializeOwned>(
    which: Which,
    change: impl Fn(&mut T) + Send + Sync + 'static,
) -> impl Fn(&Request, Response) -> Response + Send + Sync + 'static {
    move |request, response| {
        if !which(request) || response.status != 200 {
            return response;
        }
        let mut body: T = decode(&response.body);
        change(&mut body);
        Response { body: encode(&body), ..response }
    }
}

/// Changes the successful answers to `which` in the way that has this number; `hit` stays empty when there are fewer.
fn numbered(
    which: Which,
    number: usize,
    hit: Hit,
) -> impl Fn(&Request, Response) -> Response + Send + Sync + 'static {
    move |request, response| {
        if !which(request) || response.status != 200 {
            return response;
        }
        let Some((what, changed)) = mutations::of_answer(&response).into_iter().nth(number) else {
            return response;
        };
        hit.lock().unwrap().get_or_insert(what);
        changed
    }
}

/// A blob that nobody can open.
fn garbage(header: ItemHeader) -> Vec<u8> {
    Blob { header, envelope: vec![1; 512] }.to_bytes()
}

/// The answer with every public key in it replaced by one of the adversary's, of the same kind.
fn with_adversary_keys(_: &Request, response: Response) -> Response {
    let signing = PublicKey::from(DeviceKeys::make(&OsRandom).signing()).0;
    let kem = KemSecret::make(&OsRandom).public();
    let Ok(mut body) = ciborium::from_reader::<ciborium::Value, _>(&response.body[..]) else {
        return response;
    };
    replace_keys(&mut body, &signing, kem.as_bytes());
    Response { body: encode(&body), ..response }
}

fn replace_keys(value: &mut ciborium::Value, signing: &[u8], kem: &[u8]) {
    match value {
        ciborium::Value::Bytes(bytes) if bytes.len() == signing.len() => *bytes = signing.to_vec(),
        ciborium::Value::Bytes(bytes) if bytes.len() == kem.len() => *bytes = kem.to_vec(),
        ciborium::Value::Array(items) => items.iter_mut().for_each(|item| replace_keys(item, signing, kem)),
        ciborium::Value::Map(entries) => {
            entries.iter_mut().for_each(|(_, value)| replace_keys(value, signing, kem));
        }
        _ => {}
    }
}

fn asks_log(request: &Request) -> bool {
    request.path.starts_with("/v1/account/log")
}

fn asks_slots(request: &Request) -> bool {
    request.path == "/v1/account/slots"
}

/// Everything a person sees on the device; nothing while there is no vault.
async fn shown(device: &TestDevice) -> Vec<(ItemId, Vec<u8>)> {
    match device.client.vaults().await.unwrap().is_empty() {
        true => Vec::new(),
        false => device.everything().await.unwrap(),
    }
}

/// Two devices; the second has an edit that waits, and has not seen: an edit, a new item, a purge.
async fn unseen() -> (TestServer, TestDevice, TestDevice, ItemId) {
    let (server, mut first, mut second) = two_devices().await;
    let bank = first.add("Bank").await.unwrap();
    let gone = first.add("Gone").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    first.set(bank, "password", "newer").await.unwrap();
    first.add("Mail").await.unwrap();
    first.sync().await.unwrap();
    let vault = first.vault().await.unwrap();
    first.client.trash(vault, gone).await.unwrap();
    first.client.purge(vault, gone).await.unwrap();
    first.sync().await.unwrap();
    let waiting = second.add("waits").await.unwrap();
    (server, first, second, waiting)
}
