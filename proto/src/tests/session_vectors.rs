//! The session challenge: its frozen bytes, and what its signature is good for.

use serde_json::json;

use super::vector_file::{check, hex, unhex};
use crate::canon::CanonError;
use crate::ids::{AccountId, DeviceId, ServerId, VaultId};
use crate::log::tests::fixture::*;
use crate::log::{AccountLink, Commit, LinkBody, VaultCreate};
use crate::sign::{PublicKey, SignatureError, Signed, Structure, signed_bytes};
use crate::signin::{ChallengePurpose, SessionChallenge};

fn challenge() -> SessionChallenge {
    SessionChallenge {
        server_id: ServerId([7; 16]),
        account_id: AccountId(named("account").0),
        device_id: device_id("laptop"),
        purpose: ChallengePurpose::Session,
        nonce: named("nonce").0,
    }
}

#[test]
fn a_challenge_s_bytes_are_frozen() {
    let signed = Signed::sign(challenge(), &signing_key("laptop"));
    let case = json!({ "name": "session", "signing_key": hex(signing_key("laptop").to_bytes()),
        "server_id": hex(challenge().server_id), "account_id": hex(challenge().account_id),
        "device_id": hex(challenge().device_id), "purpose": 1, "nonce": hex(challenge().nonce),
        "signed_bytes": hex(signed_bytes(&challenge())), "signature": hex(signed.signature().0) });
    let description = "The session challenge: what a device signs with its signing key, whose 32-byte \
        secret seed is signing_key, and the signature.";
    for case in check("session", description, vec![case]) {
        let wire = [
            &116u32.to_be_bytes()[..],
            &unhex(case["signed_bytes"].as_str().unwrap()),
            &unhex(case["signature"].as_str().unwrap()),
        ];
        let read = Signed::<SessionChallenge>::from_wire(&wire.concat()).unwrap();
        assert_eq!(*read.value(), challenge());
        read.verify(&PublicKey::from(&signing_key("laptop"))).unwrap();
    }
}

#[test]
fn a_signature_is_good_for_one_challenge_only() {
    let key = PublicKey::from(&signing_key("laptop"));
    let honest = Signed::sign(challenge(), &signing_key("laptop"));
    type Change = (&'static str, fn(&mut SessionChallenge));
    let changes: [Change; 4] = [
        ("server_id", |challenge| challenge.server_id.0[0] ^= 1),
        ("account_id", |challenge| challenge.account_id.0[31] ^= 1),
        ("device_id", |challenge| challenge.device_id = DeviceId([8; 16])),
        ("nonce", |challenge| challenge.nonce[0] ^= 1),
    ];
    for (field, change) in changes {
        let mut other = challenge();
        change(&mut other);
        let refused = key.verify(&signed_bytes(&other), honest.signature());
        assert_eq!(refused, Err(SignatureError::Mismatch), "{field}");
    }
    let stranger = PublicKey::from(&signing_key("phone"));
    assert_eq!(honest.verify(&stranger), Err(SignatureError::Mismatch));
    assert!(signed_bytes(&challenge()).len() <= SessionChallenge::LIMIT);
}

/// One key signs all three structures: what keeps them apart is the label.
#[test]
fn the_three_signed_structures_do_not_stand_in_for_each_other() {
    let mut account = TestAccount::new("anna", "laptop");
    let vault = account.add_vault("laptop", "home");
    let create = VaultCreate { vault_id: VaultId([4; 32]), slot: named("slot") };
    let link = Signed::sign(account.link("laptop", LinkBody::VaultCreate(create)), &signing_key("laptop"));
    let commit = vault.content(&account.state, "laptop", &[("bank", "bank 1")]).commit;
    let session = Signed::sign(challenge(), &signing_key("laptop"));
    let wires = [link.to_wire(), commit.to_wire(), session.to_wire()];
    for (index, wire) in wires.iter().enumerate() {
        let read = [
            Signed::<AccountLink>::from_wire(wire).map(|_| ()),
            Signed::<Commit>::from_wire(wire).map(|_| ()),
            Signed::<SessionChallenge>::from_wire(wire).map(|_| ()),
        ];
        assert_eq!(read[index], Ok(()));
        for (other, found) in read.into_iter().enumerate().filter(|(other, _)| *other != index) {
            // A challenge is short: whatever is longer is refused by its length, before its label is read.
            let expected = match other {
                0 => CanonError::WrongLabel("account-link"),
                1 => CanonError::WrongLabel("vault-commit"),
                _ => CanonError::TooLong { found: wire.len() - 68, limit: SessionChallenge::LIMIT },
            };
            let label = Err(CanonError::WrongLabel("session-challenge"));
            assert!(found == Err(expected) || (other == 2 && found == label), "{found:?}");
        }
    }
    let key = PublicKey::from(&signing_key("laptop"));
    let messages = [signed_bytes(link.value()), signed_bytes(commit.value()), signed_bytes(session.value())];
    let signatures = [link.signature(), commit.signature(), session.signature()];
    for (signed, message) in messages.iter().enumerate() {
        for (by, signature) in signatures.iter().enumerate() {
            assert_eq!(key.verify(message, signature).is_ok(), signed == by);
        }
    }
    let labels = [
        (AccountLink::LABEL, AccountLink::HASH_LABEL),
        (Commit::LABEL, Commit::HASH_LABEL),
        (SessionChallenge::LABEL, SessionChallenge::HASH_LABEL),
    ];
    for (label, hash_label) in labels {
        assert_eq!(format!("{label}-hash"), hash_label);
    }
}
