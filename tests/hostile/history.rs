//! The commits before a first sync, changed in each way (A04, A05, A06, A11): a device that finds it out keeps what it
//! has and sends nothing.

use lockstep_client::ports::Request;
use lockstep_tests::{TestDevice, assert_in_step, is_commit, one_device};

use super::{Hit, numbered, shown};

/// What only the check of the history asks for: the commits after the genesis.
fn asks_history(request: &Request) -> bool {
    request.path.ends_with("/commits?after=0")
}

/// Fields that say nothing about the vault: room, hints, and the head, which the check does not take from there.
const HINTS: [&str; 4] = [".room", ".authors", ".more", ".head"];

#[tokio::test]
async fn a06_every_field_of_the_history_is_the_truth_or_refused_and_nothing_is_sent() {
    let (server, mut first, papers) = one_device().await;
    let bank = first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    first.set(bank, "password", "newer").await.unwrap();
    first.sync().await.unwrap();
    first.add("Mail").await.unwrap();
    first.sync().await.unwrap();
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.sync().await.unwrap();
    let waiting = second.add("waits").await.unwrap();
    let (records, truth) = (second.store.snapshot(), shown(&second).await);
    let (mut refused, mut harmless) = (0, Vec::new());
    for number in 0.. {
        let mut device = second.restarted(records.snapshot()).await.unwrap();
        let hit = Hit::default();
        device.net.server().answer(numbered(asks_history, number, hit.clone()));
        device.net.fail(is_commit, lockstep_tests::Fault::Unreachable, usize::MAX);
        let outcome = device.sync().await;
        let Some(what) = hit.lock().unwrap().take() else { break };
        assert_eq!(shown(&device).await, truth, "{what}");
        let status = device.client.status().await.unwrap();
        assert_eq!(status.pending, 1, "{what}");
        if status.vaults[0].history_checked {
            harmless.push(what);
        } else {
            assert!(outcome.is_err(), "{what}");
            assert!(!status.vaults[0].in_flight, "{what}");
            refused += 1;
            device.net.server().be_honest();
            drop(device.sync().await);
            assert!(device.client.status().await.unwrap().vaults[0].history_checked, "{what}");
        }
    }
    assert_in_step(&mut second, &mut first).await;
    assert_eq!(first.field(waiting, "title").await.unwrap(), "waits");
    assert!(refused > 60, "{refused}");
    let odd: Vec<_> =
        harmless.iter().filter(|what| !HINTS.iter().any(|hint| what.starts_with(hint))).collect();
    assert!(odd.iter().all(|what| what.ends_with("dropped")), "made no difference: {odd:?}");
}
