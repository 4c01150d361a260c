//! The pairing mailbox over HTTP.

use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::pairing::{
    OpenPairing, PAIRING_MESSAGE_LIMIT, PairingOpened, PairingReceived, PairingSent, PairingStep,
    ReceivePairing, SendPairing,
};
use lockstep_proto::bytes::Bytes;

use crate::support::{Account, Answer, Backend, World, random};

fn named() -> Bytes {
    Bytes(random::<16>().to_vec())
}

async fn send(world: &World, token: &str, rendezvous: &Bytes, step: PairingStep, message: &[u8]) -> Answer {
    let request = SendPairing { rendezvous: rendezvous.clone(), step, message: message.to_vec().into() };
    world.post("/v1/pairing/send", token, &request).await
}

async fn receive(world: &World, rendezvous: &Bytes, step: PairingStep) -> Answer {
    let request = ReceivePairing { rendezvous: rendezvous.clone(), step };
    world.post("/v1/pairing/receive", "", &request).await
}

#[actix_web::test]
async fn two_devices_talk_and_only_one_of_them_needs_a_session() {
    let world = World::start(Backend::Memory).await;
    let mut account = Account::sign_up(&world).await;
    let token = account.token(&world).await;
    let rendezvous = named();
    let open = OpenPairing { rendezvous: rendezvous.clone(), invitation: b"invitation".to_vec().into() };
    let opened: PairingOpened = world.post("/v1/pairing", &token, &open).await.ok();
    assert_eq!(opened.expires_ms, 1_800_000_120_000);
    assert_eq!(world.post("/v1/pairing", &token, &open).await.ok::<PairingOpened>(), opened);
    send(&world, "", &rendezvous, PairingStep::Offer, b"offer").await.ok::<PairingSent>();
    for step in [PairingStep::Reveal, PairingStep::Reply] {
        assert_eq!(send(&world, "", &rendezvous, step, b"m").await.code(), ErrorCode::Unauthenticated);
        send(&world, &token, &rendezvous, step, b"m").await.ok::<PairingSent>();
    }
    let expected: [(PairingStep, &[u8]); 4] = [
        (PairingStep::Invitation, b"invitation"),
        (PairingStep::Offer, b"offer"),
        (PairingStep::Reveal, b"m"),
        (PairingStep::Reply, b"m"),
    ];
    for (step, message) in expected {
        let received: PairingReceived = receive(&world, &rendezvous, step).await.ok();
        assert_eq!(received.message, Some(Bytes(message.to_vec())));
    }
    let other = send(&world, "", &rendezvous, PairingStep::Offer, b"another").await;
    assert_eq!(other.code(), ErrorCode::PairingTaken);

    let second = account.add_device(&world, &token).await;
    let second = account.open_session(&world, &second).await.ok::<lockstep_proto::api::session::Session>();
    let foreign = send(&world, &second.token, &rendezvous, PairingStep::Reply, b"m").await;
    assert_eq!(foreign.code(), ErrorCode::Forbidden);
    world.clock.advance_seconds(120);
    for step in [PairingStep::Invitation, PairingStep::Offer] {
        assert_eq!(receive(&world, &rendezvous, step).await.code(), ErrorCode::NoPairing);
    }
    assert_eq!(
        send(&world, "", &rendezvous, PairingStep::Offer, b"offer").await.code(),
        ErrorCode::NoPairing
    );
}

#[actix_web::test]
async fn a_mailbox_is_opened_by_a_device_and_by_no_other_session() {
    let world = World::start(Backend::Memory).await;
    let account = Account::sign_up(&world).await;
    let enrolment = account.sign_in(&world, &account.password).await.ok().unwrap().enrolment_token;
    let recovery = account.open_recovery(&world, &account.recovery_key).await.ok().unwrap();
    let open = OpenPairing { rendezvous: named(), invitation: b"m".to_vec().into() };
    assert_eq!(world.post("/v1/pairing", "", &open).await.code(), ErrorCode::Unauthenticated);
    for token in [enrolment, recovery] {
        assert_eq!(world.post("/v1/pairing", &token, &open).await.code(), ErrorCode::Forbidden);
    }
    assert_eq!(receive(&world, &open.rendezvous, PairingStep::Invitation).await.code(), ErrorCode::NoPairing);
}

#[actix_web::test]
async fn messages_and_mailboxes_are_bounded() {
    let world = World::start(Backend::Memory).await;
    let account = Account::sign_up(&world).await;
    let token = account.token(&world).await;
    let open = |size: usize| OpenPairing { rendezvous: named(), invitation: vec![7; size].into() };
    let largest = open(PAIRING_MESSAGE_LIMIT);
    assert!(world.post("/v1/pairing", &token, &largest).await.status.is_success());
    assert_eq!(
        world.post("/v1/pairing", &token, &open(PAIRING_MESSAGE_LIMIT + 1)).await.code(),
        ErrorCode::TooLarge
    );
    assert_eq!(
        world.post("/v1/pairing", &token, &open(4 * PAIRING_MESSAGE_LIMIT)).await.code(),
        ErrorCode::TooLarge
    );
    assert!(world.post("/v1/pairing", &token, &open(1)).await.status.is_success());
    let full = world.post("/v1/pairing", &token, &open(1)).await.problem();
    assert_eq!((full.code, full.retry_after_seconds), (ErrorCode::TooManyAttempts, Some(120)));
    let odd = OpenPairing { rendezvous: vec![1; 15].into(), invitation: vec![1].into() };
    assert_eq!(world.post("/v1/pairing", &token, &odd).await.code(), ErrorCode::BadRequest);
}
