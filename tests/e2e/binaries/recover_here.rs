//! The password is forgotten, a profile is still unlocked, and the recovery sheet is there.

use lockstep_client::account::{Unlocked, unlock_with_lrk};
use lockstep_client::api::Api;
use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_crypto::secret_bytes::SecretBytes;
use lockstep_native::{HttpOptions, OsRandom, open_profile};
use lockstep_proto::api::account::AppendLinks;
use lockstep_proto::api::heal::HealAccount;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::log::{AccountLink, AuthUpdate, DeviceAdd, Enrolment, LinkBody, LinkError, Signer};
use lockstep_proto::wrap::slot_hash;

use super::gate::Gate;
use super::life_cycle::whats;
use super::memory::root_key;
use super::recovery_key::{first_sheet, kit_recovery, written};
use super::screen::Terminal;
use super::{Machine, ServerProcess};

const NEW_PASSWORD: &str = "a new and better passphrase";

/// An account on laptop, phone and tablet; the laptop is unlocked.
fn three_devices(url: &str) -> Machine {
    let machine = Machine::new();
    machine.sign_up("laptop", url);
    machine.json("laptop", &["add", "--title", "Bank", "--username", "anna"]);
    machine.sign_in("phone");
    machine.sign_in("tablet");
    machine.json("laptop", &["sync"]);
    machine.json("laptop", &["unlock", "--minutes", "60"]);
    machine
}

#[test]
fn a_forgotten_password_is_recovered_from_on_a_device_that_is_still_unlocked() {
    let server = ServerProcess::start();
    let (machine, other) = (three_devices(server.url()), Machine::new());
    other.sign_up("laptop", server.url());
    let (sheet, papers) = (first_sheet(&machine), machine.path("new-papers"));
    let folder = papers.to_str().unwrap();
    let recover = |profile: &str, sheet: &str, more: &[&str]| {
        let arguments = ["recover", "--yes", "--sheet", sheet, "--kit-dir", folder];
        machine.run_with(profile, &[&arguments, more].concat(), &[NEW_PASSWORD])
    };
    let locked = recover("phone", &sheet, &[]).ends(1);
    assert_eq!(locked.failure(), "account-exists");
    assert!(locked.out.contains("is locked") && locked.out.contains("--profile NAME"), "{locked:?}");
    assert_eq!(recover("laptop", &first_sheet(&other), &[]).ends(3).failure(), "other-recovery-key");
    assert_eq!(recover("laptop", &sheet, &["--keep", "fridge"]).ends(1).failure(), "no-device");
    let unasked = ["recover", "--sheet", &sheet, "--kit-dir", folder];
    assert_eq!(machine.run("laptop", &unasked).ends(2).failure_after_notes(), "usage");
    let unnamed = machine.run("laptop", &unasked[..1]).ends(2);
    assert!(unnamed.failure() == "usage" && unnamed.out.contains("--kit-dir"), "{unnamed:?}");

    machine.json("phone", &["unlock"]);
    let recovered = recover("laptop", &sheet, &["--keep", "phone"]).done();
    assert!(
        recovered.err.contains("laptop (this one)") && recovered.err.contains("tablet (is removed)"),
        "{recovered:?}"
    );
    let recovered = recovered.json();
    assert_eq!(recovered["items"], 1);
    // The key in the background is the same, and the new password opens the profile.
    let list = machine.run_with("laptop", &["list"], &[]).done().json();
    assert_eq!(list["items"][0]["title"], "Bank");
    machine.json("laptop", &["lock"]);
    assert_eq!(machine.run("laptop", &["list"]).ends(3).failure(), "wrong-password");
    machine.run_with("laptop", &["sync"], &[NEW_PASSWORD]).done();

    assert_eq!(machine.run("tablet", &["sync"]).ends(3).failure(), "device-revoked");
    machine.json("phone", &["sync"]);
    let events = whats(&machine.json("phone", &["security"]));
    assert!(
        ["recovery-key-used", "device-removed"].iter().all(|what| events.contains(&(*what).to_owned())),
        "{events:?}"
    );
    // It is unlocked, and its password is the forgotten one.
    let confirm = ["password", "confirm"];
    assert_eq!(machine.run_with("phone", &confirm, &["a guess"]).ends(3).failure(), "signin-refused");
    assert_eq!(machine.run_with("phone", &confirm, &[NEW_PASSWORD]).done().json()["changed"], true);
    machine.json("phone", &["lock"]);
    let sign_in = |profile: &str, kit: &str| {
        machine.run_with(profile, &["signin", "--yes", "--kit", kit], &[NEW_PASSWORD])
    };
    assert_eq!(sign_in("new", machine.kit().to_str().unwrap()).ends(3).failure(), "signin-refused");
    sign_in("new", recovered["emergency_kit"].as_str().unwrap()).done();
    let new = ["kit", "recovery", "--new", "--kit-dir", machine.path("x").to_str().unwrap(), "--sheet"]
        .map(str::to_owned);
    let new_with = |sheet: &str| {
        let arguments = new.iter().map(String::as_str).chain([sheet]).collect::<Vec<_>>();
        machine.run_with("phone", &arguments, &[NEW_PASSWORD])
    };
    assert_eq!(new_with(&sheet).ends(3).failure(), "other-recovery-key");
    new_with(&written(&recovered)).done();
}

#[test]
fn a_recovery_that_is_killed_before_the_papers_were_out_hands_them_out_later() {
    let server = ServerProcess::start();
    let gate = Gate::before(server.address());
    let machine = three_devices(gate.url());
    let (sheet, never, papers) = (first_sheet(&machine), machine.path("never"), machine.path("new-papers"));
    let folder = never.to_str().unwrap();
    gate.arm("account/links");
    let recover = ["recover", "--yes", "--sheet", &sheet, "--kit-dir", folder];
    let mut child = machine.start("laptop", &recover, &[NEW_PASSWORD]);
    gate.wait();
    child.kill().unwrap();
    child.wait().unwrap();
    gate.cut();

    let again = ["recover", "--kit-dir", papers.to_str().unwrap()];
    assert_eq!(machine.run("laptop", &again).ends(3).failure(), "wrong-password");
    machine.json("laptop", &["lock"]);
    let recovered = machine.run_with("laptop", &again, &[NEW_PASSWORD]).done().json();
    for device in ["phone", "tablet"] {
        assert_eq!(machine.run(device, &["sync"]).ends(3).failure(), "device-revoked");
    }
    let kit = recovered["emergency_kit"].as_str().unwrap();
    machine.run_with("new", &["signin", "--yes", "--kit", kit], &[NEW_PASSWORD]).done();
    assert!(std::path::Path::new(&written(&recovered)).is_file());
}

#[test]
fn a_person_is_shown_who_stays_and_asked_before_anything_changes() {
    let server = ServerProcess::start();
    let machine = three_devices(server.url());
    let sheet = first_sheet(&machine);
    let mut terminal = Terminal::open(&machine, "");
    let question = "Take the account back on this device, and remove 2 of these? [y/N] ";
    for answer in ["n", "y"] {
        terminal.start(&format!("--profile laptop recover --sheet {sheet} --kit-dir new-papers"));
        let shown = terminal.answer(question, answer);
        assert!(shown.contains("tablet (is removed)") && !shown.contains("Password"), "{shown}");
        if answer == "y" {
            terminal.answer("New password: ", NEW_PASSWORD);
            terminal.answer("New password (again): ", NEW_PASSWORD);
        }
        let (said, code) = terminal.ended();
        assert_eq!(code == 0, answer == "y", "{said}");
        let told = if answer == "y" { "The account is yours on this device" } else { "nothing was changed" };
        assert!(said.contains(told), "{said}");
    }
}

/// What a thief signs with all that an unlocked profile has, and a password of their own.
fn forged(unlocked: &Unlocked) -> Vec<LinkBody> {
    let thief = DeviceKeys::make(&OsRandom);
    let auth = unlocked.state().auth().unwrap().clone();
    let record_hash = slot_hash(b"a record of the thief's");
    let password_key = PasswordKey::from_slice(&[7; 32]).unwrap().public();
    let update = AuthUpdate { password_slot: slot_hash(SLOT), record_hash, password_key, ..auth };
    vec![
        LinkBody::AuthUpdate(update),
        LinkBody::DeviceAdd(DeviceAdd { keys: thief.public().clone(), how: Enrolment::Pairing }),
        LinkBody::RecoveryAnnounce(Box::new(RecoveryKey::make(&OsRandom).derive_public_keys())),
    ]
}

const SLOT: &[u8] = &[9; 120];

/// Sends them by both routes; how many the server took.
async fn steal(machine: &Machine) -> usize {
    let owned = open_profile(&machine.profile("laptop")).unwrap();
    let ports = owned.own_ports(&HttpOptions::default()).await.unwrap().unwrap();
    let key: [u8; 32] = root_key(&machine.profile("laptop").join("agent.sock")).try_into().unwrap();
    let unlocked = unlock_with_lrk(&ports, SecretBytes::copy_of(&key)).await.unwrap();
    let api = Api::new(ports.transport.clone());
    let (session, state) = (unlocked.session(&api), unlocked.state());
    let own_key = PasswordKey::from_slice(&[7; 32]).unwrap().signing();
    let mut taken = 0;
    for body in forged(&unlocked) {
        let signer = Signer::Device(unlocked.device_id());
        let link = AccountLink::after(state.account_id(), &state.head(), signer, 0, Vec::new(), body);
        let link = unlocked.sign_link(link);
        for link in [link.clone(), link.countersigned(&own_key)] {
            assert!(matches!(state.apply(&link), Err(LinkError::Password)), "{:?}", link.value());
            let (links, slots) = (vec![link.to_body()], vec![Bytes(SLOT.to_vec())]);
            let append = AppendLinks { links: links.clone(), slots: slots.clone(), record: None };
            taken += usize::from(api.append_links(&session, &append).await.is_ok());
            taken += usize::from(api.heal_account(&HealAccount { links, slots, record: None }).await.is_ok());
        }
    }
    taken
}

#[test]
fn a44_who_has_an_unlocked_profile_and_no_password_changes_nothing() {
    let server = ServerProcess::start();
    let machine = three_devices(server.url());
    machine.json("phone", &["sync"]);
    let before = machine.json("phone", &["status"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(steal(&machine)), 0);

    // Nor by the program: it asks for what the thief does not have.
    let folder = machine.path("stolen");
    let folder = folder.to_str().unwrap();
    for arguments in [
        &["kit", "recovery", "--new", "--lost", "--kit-dir", folder][..],
        &["kit", "recovery", "--new", "--kit-dir", folder],
        &["kit", "recovery", "--confirm"],
        &["kit", "--kit-dir", folder],
        &["recover", "--kit-dir", folder, "--yes"],
        &["password", "change"],
        &["key", "rotate", "--yes"],
        &["device", "revoke", "phone", "--reason", "retired", "--yes"],
    ] {
        assert_eq!(machine.run_with("laptop", arguments, &[]).ends(2).failure(), "usage", "{arguments:?}");
        let guessed = machine.run_with("laptop", arguments, &["a guess", "a new one"]);
        assert!(matches!(guessed.code, Some(2 | 3)), "{guessed:?}");
    }
    machine.json("phone", &["sync"]);
    let after = machine.json("phone", &["status"]);
    assert_eq!((&after["account_seq"], &after["devices"]), (&before["account_seq"], &before["devices"]));
    machine.sign_in("new");
    kit_recovery(&machine, "new", &["--new", "--sheet", &first_sheet(&machine)]).done();
}
