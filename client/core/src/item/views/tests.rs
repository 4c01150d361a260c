#![allow(clippy::unwrap_used)]

use lockstep_proto::ids::DeviceId;

use super::*;
use crate::item::{Author, Document, Draft};

fn author() -> Author {
    Author { now_ms: 1_700_000_000_000, device: DeviceId([1; 16]) }
}

#[test]
fn a_login_reads_what_was_written_in_its_owners_order() {
    let uri = |uri: &str, order| Uri {
        uri: Some(uri.into()),
        match_mode: Some(MatchMode::Host),
        order: Some(order),
    };
    let document = Draft::by(Kind::Login.as_str(), author())
        .unwrap()
        .set(field::NAME, "Mail")
        .set(field::USERNAME, "ann")
        .set(field::element(field::URIS, "a"), uri("https://second.example", 1).to_value())
        .set(field::element(field::URIS, "b"), uri("https://first.example", 0).to_value())
        .set(field::element(field::TAGS, "Home/Router"), true)
        .build()
        .unwrap();
    let login = Login::of(&document);
    assert_eq!(Kind::of(&document), Some(Kind::Login));
    assert_eq!((document.name(), login.username(), login.password()), ("Mail", Some("ann"), None));
    let uris: Vec<_> = login.uris().into_iter().map(|(id, uri)| (id, uri.uri.unwrap())).collect();
    assert_eq!(uris, [("b", "https://first.example".to_owned()), ("a", "https://second.example".to_owned())]);
    assert_eq!(document.tags().collect::<Vec<_>>(), ["Home/Router"]);
}

#[test]
fn elements_survive_their_value() {
    let mut passkey = Passkey::default();
    passkey.order = Some(3);
    passkey.put("rp-id", Some("example.org"));
    assert!(Passkey::read(&passkey.to_value()) == passkey);
    let custom = CustomField {
        name: Some("pin".into()),
        value: Some("1234".into()),
        custom_type: Some(CustomType::Hidden),
        linked: Some(100),
        order: Some(0),
    };
    assert!(CustomField::read(&custom.to_value()) == custom);
    for mode in MatchMode::ALL {
        assert_eq!(MatchMode::parse(mode.as_str()), Some(mode));
    }
}

#[test]
fn a_kind_and_a_field_that_no_view_knows_are_kept() {
    let mut document = Draft::by("hologram", author()).unwrap().set("aura", "blue").build().unwrap();
    document.edit(author()).set(field::NAME, "new").apply().unwrap();
    let read = Document::from_bytes(&document.to_bytes()).unwrap();
    assert_eq!((Kind::of(&read), read.kind(), read.text("aura")), (None, "hologram", Some("blue")));
}

#[test]
fn a_field_of_another_type_reads_as_absent_and_stays() {
    let document = Draft::by("login", author()).unwrap().set(field::PASSWORD, 5_i64).build().unwrap();
    assert_eq!(Login::of(&document).password(), None);
    assert!(document.value(field::PASSWORD).is_some());
}

#[test]
fn list_names_do_not_run_into_each_other() {
    let document = Draft::by("login", author())
        .unwrap()
        .set("tags/x", true)
        .set("tags-more/y", true)
        .set("tags2", "z")
        .build()
        .unwrap();
    assert_eq!(document.tags().collect::<Vec<_>>(), ["x"]);
}

#[test]
fn every_kind_survives_its_encoding_with_fields_that_no_view_knows() {
    let known: Vec<&str> = [
        &[field::NAME, field::NOTES, field::USERNAME, field::PASSWORD, field::TOTP] as &[&str],
        Card::FIELDS,
        Identity::FIELDS,
        SshKey::FIELDS,
        Wifi::FIELDS,
        ApiCredential::FIELDS,
        FileDocument::FIELDS,
    ]
    .concat();
    for kind in Kind::ALL {
        let draft = Draft::by(kind.as_str(), author()).unwrap().set("future/x", true);
        let draft = known.iter().fold(draft, |draft, key| draft.set(*key, format!("{key} text")));
        let mut document = Document::from_bytes(&draft.build().unwrap().to_bytes()).unwrap();
        assert_eq!(Kind::of(&document), Some(kind));
        document.edit(author()).set(field::NAME, "new").apply().unwrap();
        let read = Document::from_bytes(&document.to_bytes()).unwrap();
        let others = known.iter().filter(|key| **key != field::NAME);
        assert!(others.into_iter().all(|key| read.text(key) == Some(&format!("{key} text"))), "{kind:?}");
        assert_eq!((read.name(), read.list("future").count()), ("new", 1));
        let (card, wifi, key) = (Card::of(&read), Wifi::of(&read), SshKey::of(&read));
        assert_eq!((card.expiry_month(), wifi.ssid()), (Some("expiry-month text"), Some("ssid text")));
        assert_eq!(key.private_key(), Some("private-key text"));
    }
}
