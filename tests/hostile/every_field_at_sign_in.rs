//! Each field of each answer of a sign-in, changed in each way (A02, A04, A14, A15, A16): it leads to the account's
//! true log or to nothing, and leaves nothing behind.

use lockstep_client::ports::{LocalStore as _, Request, Table};
use lockstep_tests::{TestDevice, TestServer, assert_in_step, one_device};

use super::{Hit, Which, asks_log, asks_slots, numbered};

/// A server forgets begun sign-ins when it restarts; it takes twenty.
const ATTEMPTS: usize = 15;

async fn sweep(which: Which) -> (usize, Vec<String>) {
    let (mut server, mut first, papers) = one_device().await;
    first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    let truth = first.client.status().await.unwrap().account_head;
    let (mut refused, mut harmless) = (0, Vec::new());
    for number in 0.. {
        if number % ATTEMPTS == ATTEMPTS - 1 {
            server.restart().unwrap();
        }
        let hit = Hit::default();
        let attack = numbered(which, number, hit.clone());
        let probe =
            TestDevice::probe_sign_in(&server, &papers, |server| server.answer(attack)).await.unwrap();
        let Some(what) = hit.lock().unwrap().take() else { break };
        for table in Table::ALL {
            let left = probe.records.scan(table, &[], None, 1).await.unwrap();
            assert!(left.is_empty(), "{what}: {table:?}");
        }
        match probe.outcome {
            Ok(head) => {
                assert_eq!(head, truth, "{what}");
                harmless.push(what);
            }
            Err(_) => refused += 1,
        }
    }
    server.restart().unwrap();
    assert_recovers(&server, first, &papers).await;
    (refused, harmless)
}

async fn assert_recovers(server: &TestServer, mut first: TestDevice, papers: &lockstep_tests::Papers) {
    let mut second = TestDevice::sign_in(server, papers).await.unwrap();
    assert_in_step(&mut first, &mut second).await;
}

fn assert_hints(harmless: &[String], hints: &[&str]) {
    for what in harmless {
        assert!(hints.iter().any(|hint| what.starts_with(hint)), "{what} made no difference");
    }
}

#[tokio::test]
async fn a04_every_field_of_the_log_is_the_truth_or_refused_at_sign_in() {
    let (refused, harmless) = Box::pin(sweep(asks_log)).await;
    assert!(refused > 30, "{refused}");
    assert_hints(&harmless, &[".more"]);
}

#[tokio::test]
async fn a14_every_field_of_the_slots_is_the_truth_or_refused_at_sign_in() {
    let (refused, harmless) = Box::pin(sweep(asks_slots)).await;
    assert!(refused > 30, "{refused}");
    assert_hints(&harmless, &[".slots[", ".head"]);
}

#[tokio::test]
async fn a02_every_field_of_the_key_exchange_is_the_truth_or_refused_at_sign_in() {
    let starts = |request: &Request| request.path == "/v1/signin/start";
    let (refused, harmless) = Box::pin(sweep(starts)).await;
    assert!(refused > 15, "{refused}");
    assert_hints(&harmless, &[]);
}

#[tokio::test]
async fn a17_what_a_server_says_of_itself_is_the_truth_or_refused_at_sign_in() {
    let asks_info = |request: &Request| request.path == "/v1/info";
    let (refused, harmless) = Box::pin(sweep(asks_info)).await;
    assert!(refused > 15, "{refused}");
    assert_hints(&harmless, &[".protocol", ".server_version", ".signup", ".limits"]);
}
