#![allow(clippy::unwrap_used)]

use bip39::Language;
use lockstep_proto::canon::{Canon, CanonError};
use lockstep_proto::ids::{AccountId, Generation, Hash, Seq, ServerId};
use lockstep_proto::log::LogHead;
use lockstep_proto::signin::KsfProfile;
use proptest::prelude::*;

use super::*;
use crate::device::DeviceKeys;
use crate::keys::Ark;
use crate::secret_key::SecretKey;
use crate::testing::CountingRandom;

const NONCE: PairingNonce = [0x0e; 32];

fn head(seq: u64) -> LogHead {
    LogHead { seq: Seq(seq), hash: Hash([seq as u8; 32]) }
}

fn secrets(code: u8) -> PairingSecrets {
    PairingCode::from_bytes([code; 10]).derive_secrets()
}

fn invitation(nonce: &PairingNonce) -> Invitation {
    Invitation {
        server_id: ServerId([5; 16]),
        account_id: AccountId([6; 32]),
        head: head(7),
        commitment: Invitation::commit(nonce),
    }
}

/// One side's view of a pairing.
struct Scene {
    secrets: PairingSecrets,
    new: DeviceKeys,
    exchange: Exchange,
    messages: [Vec<u8>; 3],
}

fn scene() -> Scene {
    let (secrets, random) = (secrets(1), CountingRandom::default());
    let new = DeviceKeys::make(&random);
    let offer = Offer::make(&secrets, &new, &DeviceName::new("Anna's phone"), &random).unwrap();
    let invitation = Sent::make(&secrets, invitation(&NONCE));
    let offer = Sent::make(&secrets, offer);
    let reveal = Sent::make(&secrets, Reveal { nonce: NONCE });
    let messages = [invitation.as_bytes(), offer.as_bytes(), reveal.as_bytes()].map(<[u8]>::to_vec);
    let exchange = Exchange::new(invitation, offer, reveal).unwrap();
    Scene { secrets, new, exchange, messages }
}

fn grant() -> Grant {
    Grant {
        ark: Ark::from_bytes([8; 32]),
        generation: Generation(3),
        secret_key: SecretKey::from_bytes([9; 16]),
        ksf_profile: KsfProfile::Profile1,
    }
}

fn reply(scene: &Scene) -> Vec<u8> {
    let random = CountingRandom::default();
    let reply = seal_reply(&scene.secrets, &scene.exchange, head(8), &grant(), &random).unwrap();
    reply.as_bytes().to_vec()
}

#[test]
fn a_code_is_shown_in_four_groups_and_read_back_however_it_is_typed() {
    let code = PairingCode::from_bytes([0xa5; 10]);
    let text = code.expose_text();
    assert!(text.starts_with("LP1-"));
    assert_eq!(text.len(), 3 + 4 * 6);
    for typed in [text.to_lowercase(), text.replace('-', " "), text[4..].to_owned()] {
        assert_eq!(PairingCode::parse(&typed).unwrap().expose_bytes(), code.expose_bytes());
    }
}

#[test]
fn a_typo_or_another_kind_of_key_is_no_code() {
    let text = PairingCode::from_bytes([0; 10]).expose_text();
    for position in (4..text.len()).filter(|position| text.as_bytes()[*position] != b'-') {
        let typo = format!("{}7{}", &text[..position], &text[position + 1..]);
        assert!(matches!(PairingCode::parse(&typo), Err(PairingMessageError::Code(_))), "{position}");
    }
    let key = SecretKey::from_bytes([3; 16]).expose_text();
    assert!(matches!(PairingCode::parse(&key), Err(PairingMessageError::Code(_))));
    let half = crate::recovery_key::RecoveryKey::from_bytes([0; 20]).expose_text();
    let half = format!("LP1-{}", &half[4..27]);
    assert!(PairingCode::parse(&half).is_err(), "half a Recovery Key is as long as a code");
}

#[test]
fn a_link_holds_code_and_server_and_says_when_it_does_not() {
    let link = PairingLink {
        code: PairingCode::from_bytes([4; 10]),
        server_url: crate::kit::ServerUrl::new("https://vault.example.org:8443/x@y").unwrap(),
    };
    let text = link.expose_text();
    assert!(text.starts_with("lockstep://pair#LP1-"));
    let read = PairingLink::parse(&format!(" {}\n", text.as_str())).unwrap();
    assert_eq!(read.code.expose_bytes(), link.code.expose_bytes());
    assert_eq!(read.server_url, link.server_url);
    for broken in
        ["", "lockstep://pair", "https://vault.example.org", &text[..30], "lockstep://pair#@https://a"]
    {
        assert!(PairingLink::parse(broken).is_err(), "{broken}");
    }
    assert!(matches!(PairingLink::parse(&text.replace("https", "ftp")), Err(PairingMessageError::Link)));
}

#[test]
fn a_links_qr_code_is_half_blocks_in_a_square_with_a_margin() {
    let code = PairingCode::from_bytes([4; 10]);
    let server_url = crate::kit::ServerUrl::new("https://vault.example.org").unwrap();
    let qr = PairingLink { code, server_url }.expose_qr().unwrap();
    let lines: Vec<Vec<char>> = qr.lines().map(|line| line.chars().collect()).collect();
    let width = lines[0].len();
    assert!(lines.iter().all(|line| line.len() == width) && lines.len() == width.div_ceil(2));
    assert!(width <= 80 && qr.chars().all(|block| matches!(block, ' ' | '▀' | '▄' | '█' | '\n')));
    assert!(lines[0].iter().chain(&lines[1]).all(|block| *block == ' '), "a dark module in the margin");
    let code = PairingCode::from_bytes([4; 10]);
    let long = crate::kit::ServerUrl::new(&format!("https://{}.example.org", "a".repeat(490))).unwrap();
    assert!(PairingLink { code, server_url: long }.expose_qr().is_ok());
}

#[test]
fn the_server_learns_nothing_of_the_keys_from_the_name() {
    let secrets = secrets(1);
    let all: [&[u8]; 3] =
        [secrets.mac.expose_bytes(), secrets.name.expose_bytes(), secrets.psk.expose_bytes()];
    for (place, key) in all.iter().enumerate() {
        assert_ne!(key[..RENDEZVOUS_LENGTH], secrets.rendezvous());
        assert!(all[place + 1..].iter().all(|other| other != key));
    }
}

#[test]
fn a_reply_gives_the_new_device_what_it_needs() {
    let scene = scene();
    let opened = open_reply(&scene.secrets, &scene.exchange, scene.new.kem(), &reply(&scene)).unwrap();
    assert_eq!(opened.added, head(8));
    let (given, grant) = (opened.grant, grant());
    assert_eq!(given.ark.expose_bytes(), grant.ark.expose_bytes());
    assert_eq!(given.secret_key.expose_bytes(), grant.secret_key.expose_bytes());
    assert_eq!((given.generation, given.ksf_profile), (grant.generation, grant.ksf_profile));
    let name = scene.exchange.offer().name(&scene.secrets).unwrap();
    assert_eq!(name.as_str(), "Anna's phone");
}

fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len()).map(|position| {
        let mut changed = bytes.to_vec();
        changed[position] ^= 1 << (position % 8);
        changed
    })
}

fn refuses<M: Canon>(secrets: &PairingSecrets, bytes: &[u8]) {
    assert!(Sent::<M>::read(secrets, bytes).is_ok());
    for changed in flips(bytes) {
        assert!(matches!(Sent::<M>::read(secrets, &changed), Err(PairingMessageError::OtherCode)));
    }
    for length in 0..bytes.len() {
        assert!(Sent::<M>::read(secrets, &bytes[..length]).is_err());
    }
    assert!(Sent::<M>::read(secrets, &[bytes, b"\0"].concat()).is_err());
}

#[test]
fn every_flipped_byte_of_every_message_is_refused() {
    let scene = scene();
    refuses::<Invitation>(&scene.secrets, &scene.messages[0]);
    refuses::<Offer>(&scene.secrets, &scene.messages[1]);
    refuses::<Reveal>(&scene.secrets, &scene.messages[2]);
    refuses::<Reply>(&scene.secrets, &reply(&scene));
}

/// Who knows the code can make a MAC; HPKE still refuses whatever was changed.
#[test]
fn every_flipped_byte_of_a_reply_is_refused_even_where_the_code_is_known() {
    let scene = scene();
    let reply = reply(&scene);
    let body = &reply[..reply.len() - 32];
    for (position, changed) in flips(body).enumerate().filter(|(at, _)| at % 7 == 0 || *at < 70) {
        let Ok(forged) = lockstep_proto::canon::from_bytes::<Reply>(&changed) else { continue };
        let forged = Sent::make(&scene.secrets, forged);
        let opened = open_reply(&scene.secrets, &scene.exchange, scene.new.kem(), forged.as_bytes());
        assert!(opened.is_err(), "byte {position}");
    }
}

#[test]
fn one_message_cannot_stand_in_for_another() {
    let Scene { secrets, messages, .. } = scene();
    let wrong_label = |result: Result<(), PairingMessageError>| {
        assert!(matches!(result, Err(PairingMessageError::Message(CanonError::WrongLabel(_)))));
    };
    wrong_label(Sent::<Offer>::read(&secrets, &messages[0]).map(drop));
    wrong_label(Sent::<Reveal>::read(&secrets, &messages[1]).map(drop));
    wrong_label(Sent::<Invitation>::read(&secrets, &messages[2]).map(drop));
}

#[test]
fn another_code_reads_and_opens_nothing() {
    let (scene, other) = (scene(), secrets(2));
    assert_eq!(Sent::<Offer>::read(&other, &scene.messages[1]), Err(PairingMessageError::OtherCode));
    assert_eq!(scene.exchange.offer().name(&other), Err(PairingMessageError::OtherCode));
    let opened = open_reply(&other, &scene.exchange, scene.new.kem(), &reply(&scene));
    assert_eq!(opened.err(), Some(PairingMessageError::OtherCode));
    // The pre-shared key alone is another one.
    let mixed = PairingSecrets { psk: other.psk, ..secrets(1) };
    let opened = open_reply(&mixed, &scene.exchange, scene.new.kem(), &reply(&scene));
    assert_eq!(opened.err(), Some(PairingMessageError::Sealed));
}

#[test]
fn another_devices_key_opens_no_reply() {
    let scene = scene();
    let other = DeviceKeys::make(&CountingRandom::default()).derive_rng_secret();
    let other = crate::kem::KemSecret::from_bytes(*other.expose_bytes());
    let opened = open_reply(&scene.secrets, &scene.exchange, &other, &reply(&scene));
    assert_eq!(opened.err(), Some(PairingMessageError::Sealed));
}

#[test]
fn a_reply_of_another_exchange_opens_nothing() {
    let scene = scene();
    let reply = reply(&scene);
    let [invitation_bytes, offer, reveal] = &scene.messages;
    let mut elsewhere = invitation(&NONCE);
    elsewhere.head = head(6);
    let exchange = Exchange::new(
        Sent::make(&scene.secrets, elsewhere),
        Sent::read(&scene.secrets, offer).unwrap(),
        Sent::read(&scene.secrets, reveal).unwrap(),
    );
    let opened = open_reply(&scene.secrets, &exchange.unwrap(), scene.new.kem(), &reply);
    assert_eq!(opened.err(), Some(PairingMessageError::Sealed));
    assert!(Sent::<Invitation>::read(&scene.secrets, invitation_bytes).is_ok());
}

#[test]
fn a_nonce_that_was_not_promised_is_refused() {
    let Scene { secrets, messages, .. } = scene();
    let exchange = Exchange::new(
        Sent::read(&secrets, &messages[0]).unwrap(),
        Sent::read(&secrets, &messages[1]).unwrap(),
        Sent::make(&secrets, Reveal { nonce: [1; 32] }),
    );
    assert_eq!(exchange.err(), Some(PairingMessageError::Commitment));
}

#[test]
fn every_part_of_the_exchange_changes_the_words() {
    let Scene { secrets, exchange, messages, .. } = scene();
    let [_, offer, reveal] = &messages;
    let with = |invitation: Invitation, offer: &[u8], reveal: Sent<Reveal>| {
        let offer = Sent::read(&secrets, offer).unwrap();
        Exchange::new(Sent::make(&secrets, invitation), offer, reveal).unwrap().words()
    };
    let mut seen = vec![exchange.words()];
    let same = Sent::read(&secrets, reveal).unwrap();
    assert_eq!(with(invitation(&NONCE), offer, same.clone()), seen[0]);
    let mut other = invitation(&NONCE);
    other.account_id = AccountId([1; 32]);
    seen.push(with(other, offer, same.clone()));
    let mut other = invitation(&NONCE);
    other.head = head(9);
    seen.push(with(other, offer, same.clone()));
    seen.push(with(invitation(&[1; 32]), offer, Sent::make(&secrets, Reveal { nonce: [1; 32] })));
    let random = CountingRandom::default();
    let keys = DeviceKeys::make(&random);
    for _ in 0..2 {
        let theirs = Offer::make(&secrets, &keys, &DeviceName::new("phone"), &random).unwrap();
        let theirs = Sent::make(&secrets, theirs);
        seen.push(with(invitation(&NONCE), theirs.as_bytes(), same.clone()));
    }
    for (place, words) in seen.iter().enumerate() {
        assert!(!seen[place + 1..].contains(words), "{words}");
    }
}

#[test]
fn four_words_hold_44_bits_of_a_list_that_stays_the_same() {
    let list = Language::English.word_list();
    let joined = format!("{}\n", list.join("\n"));
    let found: String = lockstep_proto::hash::hash("word-list", &[joined.as_bytes()]).0[..8]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(found, "6808f4be70403226");
    let mut hash = Hash([0; 32]);
    hash.0[..6].copy_from_slice(&[
        0b0000_0000,
        0b0010_0000,
        0b0000_1000,
        0b0000_0001,
        0b1111_1111,
        0b1110_1111,
    ]);
    assert_eq!(PairingWords::of(&hash).words(), [list[1], list[2], list[3], list[2_046]]);
}

#[test]
fn keys_that_may_not_stand_in_a_log_are_refused() {
    let scene = scene();
    let mut body = scene.messages[1][..scene.messages[1].len() - 32].to_vec();
    let start = 1 + "pair-offer".len() + 1;
    // The identity is a point of small order.
    body[start..start + 32].fill(0);
    body[start] = 1;
    let offer: Offer = lockstep_proto::canon::from_bytes(&body).unwrap();
    assert_eq!(offer.keys(), Err(PairingMessageError::Keys));
    let exchange = Exchange::new(
        Sent::read(&scene.secrets, &scene.messages[0]).unwrap(),
        Sent::make(&scene.secrets, offer),
        Sent::read(&scene.secrets, &scene.messages[2]).unwrap(),
    );
    assert_eq!(exchange.err(), Some(PairingMessageError::Keys));
}

#[test]
fn a_newer_suite_asks_for_an_update() {
    let scene = scene();
    let mut body = scene.messages[2][..scene.messages[2].len() - 32].to_vec();
    body[1 + "pair-reveal".len()] = 2;
    let mac = crate::kdf::mac(scene.secrets.mac.expose_bytes(), "pair-message", &[&body]);
    body.extend_from_slice(&mac[..32]);
    let read = Sent::<Reveal>::read(&scene.secrets, &body);
    assert!(matches!(read, Err(PairingMessageError::UpdateNeeded(_))));
}

proptest! {
    #[test]
    fn what_was_shown_is_read(bytes: [u8; 10]) {
        let text = PairingCode::from_bytes(bytes).expose_text();
        prop_assert_eq!(*PairingCode::parse(&text).unwrap().expose_bytes(), bytes);
    }

    #[test]
    fn any_bytes_and_any_text_are_read_or_refused(bytes: Vec<u8>, text: String) {
        let secrets = secrets(1);
        prop_assert!(Sent::<Offer>::read(&secrets, &bytes).is_err());
        let _ = PairingLink::parse(&text);
        let _ = PairingCode::parse(&text);
    }

    #[test]
    fn a_name_is_cut_at_a_character(name: String) {
        let cut = DeviceName::new(&name);
        prop_assert!(cut.as_str().len() <= DeviceName::LIMIT && name.starts_with(cut.as_str()));
    }
}
