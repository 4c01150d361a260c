//! Hostile servers against real clients. Whatever they answer: what they refuse changes nothing, and the truth is
//! still welcome afterwards.
//!
//! **Invariants:** every story asserts the error, what is shown, what waits, and that an honest server heals all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod canary;
mod every_field;
mod every_field_at_sign_in;
mod first_sync;
mod history;
mod logs;
mod mutations;
mod once;
mod quarantine;
mod sign_in;
mod states;
mod tampered;
mod vault_answers;

use std::sync::{Arc, Mutex};

use lockstep_client::ports::{Request, Response};
use lockstep_proto::ids::ItemId;
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
