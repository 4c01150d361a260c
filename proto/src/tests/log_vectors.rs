//! Frozen bytes of every kind of link and commit.

use serde_json::{Value, json};

use super::vector_file::{check, hex, unhex};
use crate::ids::*;
use crate::log::tests::fixture::*;
use crate::log::*;
use crate::sign::{Signed, Structure as _};

fn link_case(account: &TestAccount, signer: Signer, body: LinkBody, key: &str) -> Value {
    let mut link = account.link("laptop", body);
    link.signer = signer;
    if signer == Signer::Enrolment {
        link.heads.clear();
    }
    let kind = link.body.kind();
    let signed = sign_link(&account.state, link, key);
    let mut case = json!({ "name": format!("{kind:?}"), "signing_key": hex(signing_key(key).to_bytes()),
        "wire": hex(signed.to_wire()), "hash": hex(signed.hash()) });
    if signed.value().is_countersigned() {
        let password = password_key(&account.state.auth().unwrap().record_hash);
        case["countersigning_key"] = json!(hex(password.to_bytes()));
    }
    case
}

#[test]
fn every_link_kind_is_frozen() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let vault = account.add_vault("laptop", "home");
    let laptop = Signer::Device(device_id("laptop"));
    let add = |device: &str, how| DeviceAdd { keys: device_keys(device), how };
    let mut recovery = account.rekey(RekeyReason::Recovery, &["laptop", "phone"]);
    recovery.device_slots = vec![DeviceSlot { device_id: device_id("new"), slot: named("new") }];
    let recover = Recover {
        device: Some(add("new", Enrolment::Recovery)),
        recovery: recovery_keys("anna rk 2"),
        rekey: recovery,
    };
    let change = RecoveryChange { recovery: recovery_keys("anna rk 2"), slot: named("rk 2 slot") };
    let position = LogHead { seq: Seq(5), hash: named("position") };
    let join = VaultJoin {
        vault_id: VaultId([3; 32]),
        control: position,
        epoch: Epoch(2),
        grant: named("grant"),
        slot: named("slot"),
    };
    let anchor = Anchor {
        vault_id: vault.id(),
        fork: vault.state.head(),
        head: position,
        distrusted: Distrusted(vec![device_id("laptop")]),
    };
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    let create = VaultCreate { vault_id: VaultId([4; 32]), slot: named("slot") };
    let genesis = Signed::sign(TestAccount::genesis("anna", "laptop"), &signing_key("laptop"));
    let mut cases = vec![json!({ "name": "Genesis", "signing_key": hex(signing_key("laptop").to_bytes()),
        "wire": hex(genesis.to_wire()), "hash": hex(genesis.hash()) })];
    for (signer, body, key) in [
        (laptop, LinkBody::AuthUpdate(account.new_password("new")), "laptop"),
        (laptop, LinkBody::DeviceAdd(add("tablet", Enrolment::Pairing)), "laptop"),
        (Signer::Enrolment, LinkBody::DeviceAdd(add("tablet", Enrolment::Kit)), "anna esk 1"),
        (laptop, LinkBody::Rekey(Box::new(rekey)), "laptop"),
        (Signer::Recovery, LinkBody::Recover(Box::new(recover)), "anna rk 1"),
        (laptop, LinkBody::VaultCreate(create), "laptop"),
        (laptop, LinkBody::VaultJoin(join), "laptop"),
        (laptop, LinkBody::VaultLeave(VaultLeave { vault_id: vault.id(), last: position }), "laptop"),
        (laptop, LinkBody::ContactPin(vec![1; 40]), "laptop"),
        (laptop, LinkBody::SecurityVersion(2), "laptop"),
        (laptop, LinkBody::Escrow(vec![2; 40]), "laptop"),
        (laptop, LinkBody::RecoveryAnnounce(Box::new(recovery_keys("anna rk 2"))), "laptop"),
        (laptop, LinkBody::RecoveryChange(Box::new(change.clone())), "laptop"),
        (Signer::Recovery, LinkBody::RecoveryChange(Box::new(change)), "anna rk 1"),
        (laptop, LinkBody::Reanchor(Reanchor { vaults: vec![anchor] }), "laptop"),
    ] {
        cases.push(link_case(&account, signer, body, key));
    }
    for kind in LinkKind::ALL {
        assert!(cases.iter().any(|case| case["name"] == format!("{kind:?}")), "{kind:?} has no vector");
    }
    for case in check(
        "links",
        "Account links: u32 len || signed bytes || signature (|| countersignature), and their hashes. signing_key and \
            countersigning_key are the 32-byte secret seeds (RFC 8032) of the keys that signed.",
        cases,
    ) {
        let wire = unhex(case["wire"].as_str().unwrap());
        let link = Signed::<AccountLink>::from_wire(&wire).unwrap();
        assert_eq!(link.to_wire(), wire);
        let key = |member: &str| {
            let seed = unhex(case[member].as_str().unwrap()).try_into().unwrap();
            ed25519_dalek::SigningKey::from_bytes(&seed)
        };
        let again = Signed::sign(link.value().clone(), &key("signing_key"));
        let countersigned = link.value().is_countersigned();
        assert_eq!(case["countersigning_key"].is_string(), countersigned);
        let again = if countersigned { again.countersigned(&key("countersigning_key")) } else { again };
        assert_eq!(again.to_wire(), wire, "the keys are those that signed");
        assert_eq!(hex(link.hash()), case["hash"].as_str().unwrap());
    }
}

#[test]
fn every_commit_kind_is_frozen() {
    let mut account = TestAccount::new("anna", "laptop");
    let mut vault = account.add_vault("laptop", "home");
    vault.write(&account.state, "laptop", &[("bank", "bank 1"), ("mail", "mail 1")]);
    vault.write(&account.state, "laptop", &[("bank", "bank 2")]);
    account.name_epoch("laptop");
    let control = vault.control(&account.state, "laptop", Epoch(2));
    vault.accept(&control, &account.state);
    let body = CommitBody::Heal(HealBody {
        fork: vault.state.control(),
        side: vault.state.head(),
        side_control_hash: vault.state.control().hash,
    });
    let mut commit = vault.commit(&account.state, "laptop", &body);
    commit.observed = vec![VaultHead { vault_id: VaultId([1; 32]), head: vault.state.head() }];
    let heal = Entry { commit: Signed::sign(commit, &signing_key("laptop")), body };
    let case = |entry: &Entry| {
        json!({ "name": format!("{:?}", entry.body.kind()), "wire": hex(entry.commit.to_wire()),
            "signing_key": hex(signing_key("laptop").to_bytes()),
            "body": hex(entry.body.to_bytes()), "hash": hex(entry.commit.hash()),
            "digest": hex(entry.commit.value().digest.0) })
    };
    let cases: Vec<Value> = vault.entries.iter().chain([&heal]).map(case).collect();
    for kind in CommitKind::ALL {
        assert!(cases.iter().any(|case| case["name"] == format!("{kind:?}")), "{kind:?} has no vector");
    }
    let description = "Vault commits with their bodies, one chain, then a heal. signing_key is the 32-byte secret seed of the \
        device that signed.";
    let frozen = check("commits", description, cases);
    for case in frozen {
        let (wire, body) = (unhex(case["wire"].as_str().unwrap()), unhex(case["body"].as_str().unwrap()));
        let entry = Entry::from_wire(&wire, &body).unwrap();
        assert_eq!(hex(entry.commit.hash()), case["hash"].as_str().unwrap());
        assert_eq!((entry.commit.to_wire(), entry.body.to_bytes()), (wire, body));
    }
}
