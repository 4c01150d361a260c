//! A fork (A09): two devices are shown two histories; once they meet one head, each holds evidence that convinces anybody.

use lockstep_client::client::Client;
use lockstep_client::proto::log::{Branches, ForkEvidence, ForkProof};
use lockstep_client::sync::SyncError;
use lockstep_tests::{TestDevice, TestServer, assert_in_step, two_devices_on};

use super::shown;

/// Two devices in step with a server, and a second server that has the same and goes its own way; the second device is on
/// it.
async fn forked() -> (TestServer, TestServer, TestDevice, TestDevice) {
    let server = TestServer::start_in_memory().unwrap();
    let (server, mut first, mut second) = two_devices_on(server).await;
    for number in 0..5 {
        first.add(&format!("item {number}")).await.unwrap();
        first.sync().await.unwrap();
    }
    assert_in_step(&mut first, &mut second).await;
    let fork = server.copy().unwrap();
    second.net.server().switch_to(&fork).unwrap();
    (server, fork, first, second)
}

async fn only_proof(client: &Client) -> (ForkEvidence, ForkProof) {
    let kept = client.fork_evidence().await.unwrap();
    assert_eq!(kept.len(), 1);
    let evidence = ForkEvidence::from_bytes(&kept[0].1).unwrap();
    let proof = evidence.verify().unwrap();
    (evidence, proof)
}

#[tokio::test]
async fn a09_a_fork_leaves_evidence_that_anybody_can_check() {
    let (server, fork, mut first, mut second) = forked().await;
    for round in 0..3 {
        first.add(&format!("one branch {round}")).await.unwrap();
        second.add(&format!("other branch {round}")).await.unwrap();
        first.sync().await.unwrap();
        second.sync().await.unwrap();
    }
    let (before, waiting) = (shown(&first).await, second.add("waits").await.unwrap());
    first.net.server().switch_to(&fork).unwrap();
    second.net.server().switch_to(&server).unwrap();
    for device in [&mut first, &mut second] {
        let error = device.sync().await.unwrap_err();
        assert!(matches!(error, SyncError::Diverged { .. }), "{error}");
        let (evidence, proof) = only_proof(&device.client).await;
        // One branch holds nothing but what the device itself has signed: its word is told as such.
        assert!(!proof.is_continued && matches!(evidence.branches, Branches::Vault { .. }));
        assert_eq!(proof.statement.device_id, device.client.device_id());
        assert_eq!(proof.statement.held, device.client.status().await.unwrap().vaults[0].head);
        // Kept once, also over a restart, and whatever is shown later.
        device.sync().await.unwrap_err();
        let again = device.restarted(device.store.snapshot()).await.unwrap();
        assert_eq!(only_proof(&again.client).await, (evidence, proof));
    }
    // The vault stays readable, and edits wait.
    assert_eq!(shown(&first).await, before);
    assert_eq!(second.field(waiting, "title").await.unwrap(), "waits");
    // Back on its own branch each device goes on.
    first.net.server().switch_to(&server).unwrap();
    first.sync().await.unwrap();
    second.net.server().switch_to(&fork).unwrap();
    second.sync().await.unwrap();
    assert_eq!(second.client.status().await.unwrap().pending, 0);
}

#[tokio::test]
async fn a09_a_head_that_another_device_names_is_evidence_too() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, mut first, mut second) = two_devices_on(server).await;
    first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let fork = server.copy().unwrap();
    second.net.server().switch_to(&fork).unwrap();
    for device in [&mut first, &mut second] {
        device.add("each on its own").await.unwrap();
        device.sync().await.unwrap();
    }
    // The second device makes a vault, and its link names the head that it was given. The server passes the account's log
    // and the new vault on to the first device, and keeps the branches of the old vault apart.
    let old = first.vault().await.unwrap();
    second.client.create_vault("Work").await.unwrap();
    first.net.server().switch_to(&fork).unwrap();
    let branch = first.net.clone();
    branch.server().answer_from(&server, move |request| request.path.contains(&old.to_string())).unwrap();
    let error = first.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Diverged { .. }), "{error}");
    let (evidence, proof) = only_proof(&first.client).await;
    assert!(matches!(evidence.branches, Branches::Claimed { .. }));
    assert_eq!(proof.statement.vault_id, old);
}

#[tokio::test]
async fn a09_a_forked_account_log_is_evidence_too() {
    let server = TestServer::start_in_memory().unwrap();
    let (server, mut first, mut second) = two_devices_on(server).await;
    let fork = server.copy().unwrap();
    second.net.server().switch_to(&fork).unwrap();
    first.change_password("one new passphrase").await.unwrap();
    second.change_password("another new passphrase").await.unwrap();
    first.net.server().switch_to(&fork).unwrap();
    let error = first.sync().await.unwrap_err();
    assert!(error.fork().is_some_and(|vault_id| vault_id.is_zero()), "{error}");
    let (evidence, proof) = only_proof(&first.client).await;
    assert!(matches!(evidence.branches, Branches::Account { .. }) && proof.statement.vault_id.is_zero());
    drop(server);
}
