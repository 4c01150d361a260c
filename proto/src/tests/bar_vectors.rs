//! What the password signs before devices are barred: its frozen bytes, and what its signature is good for.

use serde_json::json;

use super::vector_file::{check, hex, unhex};
use crate::bar::BarStatement;
use crate::canon::CanonError;
use crate::ids::{AccountId, DeviceId, Seq, ServerId};
use crate::log::tests::fixture::*;
use crate::log::{AccountLink, LogHead};
use crate::sign::{PublicKey, SignatureError, Signed, signed_bytes};

fn statement() -> BarStatement {
    let mut devices = vec![device_id("phone"), device_id("tablet")];
    devices.sort();
    BarStatement {
        server_id: ServerId([7; 16]),
        account_id: AccountId(named("account").0),
        device_id: device_id("laptop"),
        head: LogHead { seq: Seq(5), hash: named("head") },
        devices,
    }
}

#[test]
fn a_bar_statement_s_bytes_are_frozen() {
    let key = password_key(&named("record"));
    let signed = Signed::sign(statement(), &key);
    let case = json!({ "name": "bar", "signing_key": hex(key.to_bytes()),
        "signed_bytes": hex(signed_bytes(&statement())), "signature": hex(signed.signature().0) });
    let description = "What the password's key signs before two devices are barred, and the signature. \
        signing_key is the 32-byte secret seed.";
    for case in check("bar", description, vec![case]) {
        let bytes = unhex(case["signed_bytes"].as_str().unwrap());
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        let wire = [&length[..], &bytes, &unhex(case["signature"].as_str().unwrap())].concat();
        let read = Signed::<BarStatement>::from_wire(&wire).unwrap();
        assert_eq!(*read.value(), statement());
        read.verify(&PublicKey::from(&key)).unwrap();
        assert_eq!(Signed::<AccountLink>::from_wire(&wire), Err(CanonError::WrongLabel("account-link")));
    }
}

#[test]
fn a_signature_is_good_for_one_bar_only() {
    let key = password_key(&named("record"));
    let honest = Signed::sign(statement(), &key);
    type Change = (&'static str, fn(&mut BarStatement));
    let changes: [Change; 7] = [
        ("server_id", |statement| statement.server_id.0[0] ^= 1),
        ("account_id", |statement| statement.account_id.0[31] ^= 1),
        ("device_id", |statement| statement.device_id = DeviceId([8; 16])),
        ("head.seq", |statement| statement.head.seq = Seq(6)),
        ("head.hash", |statement| statement.head.hash = named("another head")),
        ("one device less", |statement| statement.devices.truncate(1)),
        ("another device", |statement| statement.devices[1] = DeviceId([0xff; 16])),
    ];
    for (field, change) in changes {
        let mut other = statement();
        change(&mut other);
        let refused = PublicKey::from(&key).verify(&signed_bytes(&other), honest.signature());
        assert_eq!(refused, Err(SignatureError::Mismatch), "{field}");
    }
}
