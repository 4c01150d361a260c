//! Each field of what a mailbox gives, changed in each way, on either side (A28): the pairing leads to the truth or to
//! nothing, and an error leaves no profile.

use lockstep_client::account::{Unlocked, profile};
use lockstep_client::ports::Request;
use lockstep_crypto::password::Password;
use lockstep_proto::api::pairing::{PairingStep, ReceivePairing};
use lockstep_tests::{NewDevice, PASSWORD, TestDevice, TestServer, decode, one_device_on};

use super::{Hit, Which, numbered};

/// Whose answers are changed.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Old,
    New,
}

fn asks(request: &Request, step: PairingStep) -> bool {
    request.path == "/v1/pairing/receive" && decode::<ReceivePairing>(&request.body).step == step
}

/// The whole pairing, with two people who confirm whatever shows the same words.
async fn pairs(old: &mut TestDevice, new: &NewDevice) -> anyhow::Result<Unlocked> {
    let password = Password::new(PASSWORD)?;
    let invited = Box::pin(old.client.pair(&password)).await?;
    let (offered, joining) = new.meet(invited).await?;
    anyhow::ensure!(offered.words() == joining.words(), "other words");
    offered.confirm().await?;
    Ok(joining.confirm().await?.finish(&password).await?)
}

async fn sweep(side: Side, which: Which) -> (usize, Vec<String>) {
    let (server, mut first, _papers) = one_device_on(TestServer::start_in_memory().unwrap()).await;
    first.sync().await.unwrap();
    let (mut refused, mut harmless) = (0, Vec::new());
    for number in 0.. {
        let server = server.copy().unwrap();
        let mut old = first.copy(&server).await.unwrap();
        let new = NewDevice::at(&server).unwrap();
        let hit = Hit::default();
        let attacked = if side == Side::Old { old.net.server() } else { new.net().server() };
        attacked.answer(numbered(which, number, hit.clone()));
        let outcome = Box::pin(pairs(&mut old, &new)).await;
        let Some(what) = hit.lock().unwrap().take() else { break };
        match outcome {
            Ok(unlocked) => {
                assert_eq!(unlocked.state(), old.client.unlocked().state(), "{what}");
                assert_eq!(unlocked.ark().expose_bytes(), old.client.unlocked().ark().expose_bytes());
                harmless.push(what);
            }
            Err(_) => {
                assert!(profile(&new.records()).await.unwrap().is_none(), "{what}");
                refused += 1;
            }
        }
    }
    (refused, harmless)
}

#[tokio::test]
async fn a28_every_field_of_an_offer_is_the_truth_or_refused() {
    let (refused, harmless) = Box::pin(sweep(Side::Old, |request| asks(request, PairingStep::Offer))).await;
    assert!(refused > 15 && harmless.is_empty(), "{refused} {harmless:?}");
}

#[tokio::test]
async fn a28_every_field_of_an_invitation_is_the_truth_or_refused() {
    let which = |request: &Request| asks(request, PairingStep::Invitation);
    let (refused, harmless) = Box::pin(sweep(Side::New, which)).await;
    assert!(refused > 15 && harmless.is_empty(), "{refused} {harmless:?}");
}

#[tokio::test]
async fn a28_every_field_of_a_reveal_is_the_truth_or_refused() {
    let (refused, harmless) = Box::pin(sweep(Side::New, |request| asks(request, PairingStep::Reveal))).await;
    assert!(refused > 15 && harmless.is_empty(), "{refused} {harmless:?}");
}

#[tokio::test]
async fn a28_every_field_of_a_reply_is_the_truth_or_refused() {
    let (refused, harmless) = Box::pin(sweep(Side::New, |request| asks(request, PairingStep::Reply))).await;
    assert!(refused > 15 && harmless.is_empty(), "{refused} {harmless:?}");
}
