//! Pairing under a server that stands in between (A28): other keys, replayed mailboxes, its own code, lost and forged
//! replies. Either the words differ, or the message is refused; nothing is stored on the new device.

use std::sync::{Arc, Mutex};

use lockstep_client::account::{AccountError, PairingError, profile};
use lockstep_client::api::Api;
use lockstep_client::ports::{Request, Response};
use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::keys::Ark;
use lockstep_crypto::pairing::{
    DeviceName, Exchange, Grant, Invitation, Offer, PairingCode, PairingMessageError, PairingSecrets, Reveal,
    Sent, seal_reply,
};
use lockstep_crypto::password::Password;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_native::OsRandom;
use lockstep_proto::api::pairing::{OpenPairing, PairingReceived, PairingStep, ReceivePairing, SendPairing};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::Seq;
use lockstep_proto::log::LogHead;
use lockstep_tests::{
    FaultyNet, NewDevice, PASSWORD, TestDevice, TestServer, assert_in_step, decode, encode, is_link,
    one_device,
};

fn password() -> Password {
    Password::new(PASSWORD).unwrap()
}

fn copy(code: &PairingCode) -> PairingCode {
    PairingCode::from_bytes(*code.expose_bytes())
}

/// Changes what a device is told when it reads this message.
fn told(
    step: PairingStep,
    change: impl Fn(Option<Vec<u8>>) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> impl Fn(&Request, Response) -> Response + Send + Sync + 'static {
    move |request, response| {
        if request.path != "/v1/pairing/receive" || response.status != 200 {
            return response;
        }
        let asked: ReceivePairing = decode(&request.body);
        if asked.step != step {
            return response;
        }
        let received: PairingReceived = decode(&response.body);
        let message = change(received.message.map(|message| message.0)).map(Bytes);
        Response { body: encode(&PairingReceived { message }), ..response }
    }
}

/// The messages that a device wrote into mailboxes.
fn written(net: &FaultyNet, step: PairingStep) -> Option<Vec<u8>> {
    let seen = net.server().seen();
    let mut sent = seen.iter().filter(|request| request.path == "/v1/pairing/send");
    sent.find_map(|request| {
        let body: SendPairing = decode(&request.body);
        (body.step == step).then_some(body.message.0)
    })
}

/// What a server that knows the code knows of a pairing.
fn overheard(secrets: &PairingSecrets, old: &FaultyNet, new: &FaultyNet) -> Exchange {
    let seen = old.server().seen();
    let opened = seen.iter().find(|request| request.path == "/v1/pairing").unwrap();
    let opened: OpenPairing = decode(&opened.body);
    let offer = Sent::read(secrets, &written(new, PairingStep::Offer).unwrap()).unwrap();
    let reveal = Sent::read(secrets, &written(old, PairingStep::Reveal).unwrap()).unwrap();
    Exchange::new(Sent::read(secrets, &opened.invitation).unwrap(), offer, reveal).unwrap()
}

fn links(device: &TestDevice) -> usize {
    device.net.server().seen().iter().filter(|request| is_link(request)).count()
}

async fn assert_untouched(new: &NewDevice) {
    assert!(profile(&new.records()).await.unwrap().is_none());
}

/// Afterwards an honest pairing works.
async fn assert_heals(server: &TestServer, mut first: TestDevice) {
    first.net.server().be_honest();
    first.sync().await.unwrap();
    let mut second = NewDevice::at(server).unwrap().paired_with(&mut first).await.unwrap();
    second.sync().await.unwrap();
    assert_in_step(&mut first, &mut second).await;
}

fn their_offer(secrets: &PairingSecrets) -> (DeviceKeys, Vec<u8>) {
    let keys = DeviceKeys::make(&OsRandom);
    let offer = Offer::make(secrets, &keys, &DeviceName::new("new device"), &OsRandom).unwrap();
    (keys, Sent::make(secrets, offer).as_bytes().to_vec())
}

/// Somebody saw the code and has the server: its own keys go to the old device.
#[tokio::test]
async fn a28_other_keys_show_other_words_even_where_the_code_is_known() {
    let (server, mut first, _papers) = one_device().await;
    first.sync().await.unwrap();
    let (before, had) = (links(&first), first.client.unlocked().state().head());
    let net = first.net.clone();
    let invited = first.client.pair(&password()).await.unwrap();
    let code = copy(invited.code());
    let (_, theirs) = their_offer(&code.derive_secrets());
    net.server().answer(told(PairingStep::Offer, move |_| Some(theirs.clone())));
    let new = NewDevice::at(&server).unwrap();
    let (offered, joining) = new.meet(invited).await.unwrap();
    assert_ne!(offered.words(), joining.words());
    drop((offered, joining));
    assert_eq!((links(&first), first.client.unlocked().state().head()), (before, had));
    assert!(written(&first.net, PairingStep::Reply).is_none());
    assert_untouched(&new).await;
    assert_heals(&server, first).await;
}

/// The same, with an invitation of its own for the new device: it commits before it knows anything.
#[tokio::test]
async fn a28_an_invitation_of_its_own_shows_other_words_even_where_the_code_is_known() {
    let (server, mut first, _papers) = one_device().await;
    let net = first.net.clone();
    let invited = first.client.pair(&password()).await.unwrap();
    let secrets = Arc::new(copy(invited.code()).derive_secrets());
    let account_id = invited.account_id();
    let (_, theirs) = their_offer(&secrets);
    net.server().answer(told(PairingStep::Offer, move |_| Some(theirs.clone())));
    let new = NewDevice::at(&server).unwrap();
    let (own, invitations) = (Arc::clone(&secrets), told_invitation(&secrets));
    new.net().server().answer(move |request, response| {
        let response = invitations(request, response);
        let reveal = Sent::make(&own, Reveal { nonce: [6; 32] }).as_bytes().to_vec();
        told(PairingStep::Reveal, move |_| Some(reveal.clone()))(request, response)
    });
    let (offered, joining) = new.meet(invited).await.unwrap();
    assert_eq!(joining.account_id(), account_id);
    assert_ne!(offered.words(), joining.words());
    drop((offered, joining));
    assert_untouched(&new).await;
    assert_heals(&server, first).await;
}

/// The honest invitation, with a commitment to a nonce of the server's.
fn told_invitation(
    secrets: &Arc<PairingSecrets>,
) -> impl Fn(&Request, Response) -> Response + Send + Sync + 'static {
    let secrets = Arc::clone(secrets);
    told(PairingStep::Invitation, move |honest| {
        let honest: Sent<Invitation> = Sent::read(&secrets, &honest?).unwrap();
        let theirs = Invitation { commitment: Invitation::commit(&[6; 32]), ..honest.message().clone() };
        Some(Sent::make(&secrets, theirs).as_bytes().to_vec())
    })
}

/// A nonce chosen after the offer was seen: the new device finds it out without any words.
#[tokio::test]
async fn a28_a_nonce_that_was_not_promised_is_refused() {
    let (server, mut first, _papers) = one_device().await;
    let invited = first.client.pair(&password()).await.unwrap();
    let secrets = copy(invited.code()).derive_secrets();
    let new = NewDevice::at(&server).unwrap();
    let reveal = Sent::make(&secrets, Reveal { nonce: [6; 32] }).as_bytes().to_vec();
    new.net().server().answer(told(PairingStep::Reveal, move |_| Some(reveal.clone())));
    let error = new.meet(invited).await.err().unwrap();
    assert!(matches!(error, PairingError::Message(PairingMessageError::Commitment)), "{error}");
    assert_untouched(&new).await;
    assert_heals(&server, first).await;
}

/// Every message of an earlier pairing, again.
#[tokio::test]
async fn a28_a_replayed_mailbox_is_refused() {
    let (server, mut first, _papers) = one_device().await;
    let earlier = NewDevice::at(&server).unwrap();
    let offers: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let notes = Arc::clone(&offers);
    first.net.server().answer(told(PairingStep::Offer, move |offer| {
        notes.lock().unwrap().extend(offer.clone());
        offer
    }));
    let second = earlier.paired_with(&mut first).await.unwrap();
    drop(second);
    let offer = offers.lock().unwrap()[0].clone();
    let (reveal, reply) =
        (written(&first.net, PairingStep::Reveal).unwrap(), written(&first.net, PairingStep::Reply).unwrap());

    first.net.server().answer(told(PairingStep::Offer, move |_| Some(offer.clone())));
    let new = NewDevice::at(&server).unwrap();
    let invited = first.client.pair(&password()).await.unwrap();
    let error = new.meet(invited).await.err().unwrap();
    assert!(matches!(error, PairingError::Message(PairingMessageError::OtherCode)), "{error}");

    // A device has two mailboxes at a time; another one goes on.
    let mut other = second_device(&server, &first).await;
    new.net().server().answer(told(PairingStep::Reveal, move |_| Some(reveal.clone())));
    let invited = other.client.pair(&password()).await.unwrap();
    let error = new.meet(invited).await.err().unwrap();
    assert!(matches!(error, PairingError::Message(PairingMessageError::OtherCode)), "{error}");

    new.net().server().answer(told(PairingStep::Reply, move |_| Some(reply.clone())));
    let invited = other.client.pair(&password()).await.unwrap();
    let (offered, joining) = new.meet(invited).await.unwrap();
    offered.confirm().await.unwrap();
    let error = joining.confirm().await.err().unwrap();
    assert!(matches!(error, PairingError::Message(PairingMessageError::OtherCode)), "{error}");
    assert_untouched(&new).await;
}

async fn second_device(server: &TestServer, first: &TestDevice) -> TestDevice {
    let papers = first.papers(PASSWORD).await.unwrap();
    let mut device = TestDevice::sign_in(server, &papers).await.unwrap();
    device.sync().await.unwrap();
    device
}

/// A code that the attacker shows: account and words are others, and the account's password is not taken there.
#[tokio::test]
async fn a28_a_code_of_the_attackers_leads_to_another_account_and_stores_nothing() {
    let (server, first, _papers) = one_device().await;
    let (mut attacker, _) = TestDevice::sign_up(&server).await.unwrap();
    let new = NewDevice::at(&server).unwrap();
    let invited = attacker.client.pair(&password()).await.unwrap();
    let (offered, joining) = new.meet(invited).await.unwrap();
    assert_ne!(joining.account_id(), first.client.account_id());
    // The person confirms all the same, and types the password of the own account.
    offered.confirm().await.unwrap();
    let admitted = joining.confirm().await.unwrap();
    let own = Password::new("the password of the own account").unwrap();
    let error = admitted.finish(&own).await.err().unwrap();
    assert!(matches!(error, PairingError::WrongPassword), "{error}");
    assert_untouched(&new).await;
    let sent = new.net().server().seen();
    let finishes = sent.iter().filter(|request| request.path == "/v1/signin/finish");
    assert_eq!(finishes.count(), 0, "nothing that depends on the password was sent");
    assert_heals(&server, first).await;
}

#[tokio::test]
async fn a28_a_dropped_reply_leaves_nothing_and_the_next_pairing_works() {
    let (server, mut first, _papers) = one_device().await;
    let new = NewDevice::at(&server).unwrap();
    new.net().server().answer(told(PairingStep::Reply, |_| None));
    let invited = first.client.pair(&password()).await.unwrap();
    let (offered, joining) = new.meet(invited).await.unwrap();
    let device_id = offered.confirm().await.unwrap();
    let error = joining.confirm().await.err().unwrap();
    assert!(matches!(error, PairingError::NoAnswer), "{error}");
    assert_untouched(&new).await;
    assert!(first.client.unlocked().state().device(&device_id).is_some());
    assert_heals(&server, first).await;
}

/// The server says that the mailbox never was, or is over.
#[tokio::test]
async fn a28_an_expired_code_is_told_and_gives_nothing() {
    let (server, mut first, _papers) = one_device().await;
    let new = NewDevice::at(&server).unwrap();
    let code = PairingCode::make(&OsRandom);
    assert!(matches!(new.join(&code).await.err(), Some(PairingError::Ended)));
    let invited = first.client.pair(&password()).await.unwrap();
    let other = NewDevice::at(&server).unwrap();
    let code = copy(invited.code());
    let (offered, joining) = new.meet(invited).await.unwrap();
    assert!(matches!(other.join(&code).await.err(), Some(PairingError::Taken)));
    drop((offered, joining));
    assert_untouched(&new).await;
    assert_untouched(&other).await;
}

/// A former device has the code, the keys and the server: its reply names a link that does not add the new device.
#[tokio::test]
async fn a28_a_reply_for_another_link_is_refused() {
    let (server, mut first, _papers) = one_device().await;
    second_device(&server, &first).await;
    first.sync().await.unwrap();
    let state = first.client.unlocked().state().clone();
    let ark = *first.client.unlocked().ark().expose_bytes();
    let key = *first.client.unlocked().emergency_kit().unwrap().secret_key.expose_bytes();
    for at in [state.head().seq, Seq(1), Seq(99)] {
        let new = NewDevice::at(&server).unwrap();
        let mut old = second_device(&server, &first).await;
        let invited = old.client.pair(&password()).await.unwrap();
        let secrets = copy(invited.code()).derive_secrets();
        let (offered, joining) = new.meet(invited).await.unwrap();
        drop(offered);
        let exchange = overheard(&secrets, &old.net, new.net());
        let added = LogHead { seq: at, hash: state.hash_at(at).unwrap_or_default() };
        let grant = Grant {
            ark: Ark::from_bytes(ark),
            generation: state.generation(),
            secret_key: SecretKey::from_bytes(key),
            ksf_profile: state.auth().unwrap().profile,
        };
        let forged = seal_reply(&secrets, &exchange, added, &grant, &OsRandom).unwrap();
        let letter = SendPairing {
            rendezvous: Bytes(secrets.rendezvous().to_vec()),
            step: PairingStep::Reply,
            message: Bytes(forged.as_bytes().to_vec()),
        };
        let api = Api::new(old.net.clone());
        api.send_pairing(&old.client.unlocked().session(&api), &letter).await.unwrap();
        let admitted = joining.confirm().await.unwrap();
        let error = admitted.finish(&password()).await.err().unwrap();
        let named =
            matches!(error, PairingError::OtherLink | PairingError::Account(AccountError::Withheld { .. }));
        assert!(named, "{at}: {error}");
        assert_untouched(&new).await;
    }
    assert_heals(&server, first).await;
}
