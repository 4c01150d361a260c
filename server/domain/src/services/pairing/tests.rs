//! Time stands still unless everybody waits: no test here takes any.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::caller::Session;

const HOME: AddressKey = AddressKey::V6(1);

#[derive(Default)]
struct Hands(AtomicU64);

impl Clock for Hands {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

fn pairing() -> (Arc<Hands>, Arc<Pairing>) {
    let hands = Arc::<Hands>::default();
    (hands.clone(), Arc::new(Pairing::new(hands)))
}

fn caller(account: u8, device: u8) -> Caller {
    Caller { account_id: AccountId([account; 32]), session: Session::Device(DeviceId([device; 16])) }
}

fn named(name: u8) -> Bytes {
    Bytes(vec![name; RENDEZVOUS_LENGTH])
}

fn open(pairing: &Pairing, caller: Caller, name: u8) -> Result<PairingOpened, PairingError> {
    pairing.open(caller, &OpenPairing { rendezvous: named(name), invitation: Bytes(vec![1]) }, HOME)
}

fn send(
    pairing: &Pairing,
    caller: Option<Caller>,
    step: PairingStep,
    message: &[u8],
) -> Result<(), PairingError> {
    pairing.send(caller, &SendPairing { rendezvous: named(1), step, message: Bytes(message.to_vec()) })
}

async fn receive(pairing: &Pairing, step: PairingStep) -> Result<Option<Vec<u8>>, PairingError> {
    let received = pairing.receive(&ReceivePairing { rendezvous: named(1), step }).await?;
    Ok(received.message.map(|message| message.0))
}

#[tokio::test(start_paused = true)]
async fn messages_are_written_once_and_by_the_right_side() {
    let (_, pairing) = pairing();
    let opener = caller(1, 1);
    let opened = open(&pairing, opener, 1);
    assert_eq!(opened, Ok(PairingOpened { expires_ms: 120_000 }));
    assert_eq!(open(&pairing, opener, 1), opened);
    assert_eq!(open(&pairing, caller(1, 2), 1), Err(PairingError::Taken));
    let other = OpenPairing { rendezvous: named(1), invitation: Bytes(vec![2]) };
    assert_eq!(pairing.open(opener, &other, HOME), Err(PairingError::Taken));

    for step in [PairingStep::Reveal, PairingStep::Reply] {
        for stranger in [None, Some(caller(1, 2)), Some(caller(2, 1))] {
            assert_eq!(send(&pairing, stranger, step, b"x"), Err(PairingError::Foreign));
        }
    }
    assert_eq!(send(&pairing, Some(opener), PairingStep::Invitation, b"x"), Err(PairingError::Format));
    for (sender, step) in
        [(None, PairingStep::Offer), (Some(opener), PairingStep::Reveal), (Some(opener), PairingStep::Reply)]
    {
        assert_eq!(send(&pairing, sender, step, b"x"), Ok(()));
        assert_eq!(send(&pairing, sender, step, b"x"), Ok(()));
        assert_eq!(send(&pairing, sender, step, b"y"), Err(PairingError::Taken));
        assert_eq!(receive(&pairing, step).await, Ok(Some(b"x".to_vec())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_waited_for_and_no_longer_than_said() {
    let (_, pairing) = pairing();
    open(&pairing, caller(1, 1), 1).ok();
    let started = Instant::now();
    assert_eq!(receive(&pairing, PairingStep::Offer).await, Ok(None));
    assert_eq!(started.elapsed(), Duration::from_secs(10));
    let reader = pairing.clone();
    let reading = tokio::spawn(async move { receive(&reader, PairingStep::Offer).await });
    tokio::time::advance(Duration::from_secs(3)).await;
    send(&pairing, None, PairingStep::Offer, b"x").ok();
    assert_eq!(reading.await.ok(), Some(Ok(Some(b"x".to_vec()))));
    assert_eq!(started.elapsed(), Duration::from_secs(13));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_mailbox_that_is_not_there_or_has_ended() {
    let (hands, pairing) = pairing();
    let started = Instant::now();
    assert_eq!(receive(&pairing, PairingStep::Invitation).await, Err(PairingError::Unknown));
    assert_eq!(send(&pairing, None, PairingStep::Offer, b"x"), Err(PairingError::Unknown));
    open(&pairing, caller(1, 1), 1).ok();
    hands.0.store(119_999, Ordering::SeqCst);
    assert_eq!(receive(&pairing, PairingStep::Invitation).await, Ok(Some(vec![1])));
    hands.0.store(120_000, Ordering::SeqCst);
    assert_eq!(receive(&pairing, PairingStep::Invitation).await, Err(PairingError::Unknown));
    assert_eq!(send(&pairing, None, PairingStep::Offer, b"x"), Err(PairingError::Unknown));
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert!(open(&pairing, caller(2, 1), 1).is_ok(), "a name is free when its mailbox has ended");
}

#[tokio::test(start_paused = true)]
async fn readers_beyond_the_limit_are_answered_at_once() {
    let (_, pairing) = pairing();
    open(&pairing, caller(1, 1), 1).ok();
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let pairing = pairing.clone();
            tokio::spawn(async move { receive(&pairing, PairingStep::Offer).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let started = Instant::now();
    assert_eq!(receive(&pairing, PairingStep::Offer).await, Ok(None));
    assert_eq!(started.elapsed(), Duration::ZERO);
    send(&pairing, None, PairingStep::Offer, b"x").ok();
    for reader in readers {
        assert_eq!(reader.await.ok(), Some(Ok(Some(b"x".to_vec()))));
    }
}

#[tokio::test(start_paused = true)]
async fn mailboxes_are_bounded_per_device_per_account_and_in_all() {
    let (hands, pairing) = pairing();
    let at = |name: usize| Bytes((name as u128).to_be_bytes().to_vec());
    let open = |account: u16, device: u8, name: usize| {
        let mut account_id = AccountId([0; 32]);
        account_id.0[..2].copy_from_slice(&account.to_be_bytes());
        let session = Session::Device(DeviceId([device; 16]));
        let request = OpenPairing { rendezvous: at(name), invitation: Bytes(vec![1; PAIRING_MESSAGE_LIMIT]) };
        pairing.open(Caller { account_id, session }, &request, AddressKey::V6(u64::from(account / 4)))
    };
    for name in 0..PER_DEVICE {
        assert!(open(0, 0, name).is_ok());
    }
    assert_eq!(open(0, 0, 99), Err(PairingError::TooMany));
    for name in PER_DEVICE..PER_ACCOUNT {
        assert!(open(0, name as u8, name).is_ok());
    }
    assert_eq!(open(0, 200, 99), Err(PairingError::TooMany));
    let room = HELD_LIMIT / PAIRING_MESSAGE_LIMIT;
    for name in PER_ACCOUNT..room {
        assert!(open(name as u16, 0, name).is_ok());
    }
    assert_eq!(open(5_000, 0, room), Err(PairingError::TooMany));
    let offer = SendPairing { rendezvous: at(0), step: PairingStep::Offer, message: Bytes(vec![1]) };
    assert_eq!(pairing.send(None, &offer), Err(PairingError::TooMany));
    hands.0.store(120_000, Ordering::SeqCst);
    assert!(open(5_000, 0, room).is_ok(), "what has ended takes no room");
}

#[tokio::test(start_paused = true)]
async fn a49_one_address_leaves_room_for_others_however_many_accounts_it_has() {
    let (_, pairing) = pairing();
    for number in 0..PER_ADDRESS as u8 {
        assert!(open(&pairing, caller(number, 1), number).is_ok());
    }
    assert_eq!(open(&pairing, caller(200, 1), 200), Err(PairingError::TooMany));
    let request = OpenPairing { rendezvous: named(200), invitation: Bytes(vec![1]) };
    assert!(pairing.open(caller(200, 1), &request, AddressKey::V6(2)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn names_and_messages_of_other_lengths_are_refused() {
    let (_, pairing) = pairing();
    for length in [0, RENDEZVOUS_LENGTH - 1, RENDEZVOUS_LENGTH + 1] {
        let request = OpenPairing { rendezvous: Bytes(vec![1; length]), invitation: Bytes(vec![1]) };
        assert_eq!(pairing.open(caller(1, 1), &request, HOME), Err(PairingError::Format));
    }
    for length in [0, PAIRING_MESSAGE_LIMIT + 1] {
        let request = OpenPairing { rendezvous: named(1), invitation: Bytes(vec![1; length]) };
        assert_eq!(pairing.open(caller(1, 1), &request, HOME), Err(PairingError::Size));
    }
}
