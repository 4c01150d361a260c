//! A stolen device that says it has seen what never was, and has linked a vault that nobody made: it is removed all the
//! same, and the vault goes with it if its owner says so.

use lockstep_client::account::unlock;
use lockstep_client::api::Api;
use lockstep_crypto::password::Password;
use lockstep_native::{HttpOptions, open_profile};
use lockstep_proto::api::heal::HealAccount;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{Hash, Seq, VaultId};
use lockstep_proto::log::{AccountLink, LinkBody, LogHead, Signer, VaultCreate, VaultHead};
use lockstep_proto::wrap::slot_hash;

use super::programs::PASSWORD;
use super::screen::Terminal;
use super::{Machine, ServerProcess};

const GHOST: VaultId = VaultId([9; 32]);
const LIE: LogHead = LogHead { seq: Seq(1_000), hash: Hash([7; 32]) };

/// What the thief signs with the keys of this profile; the id of the device.
async fn poison(machine: &Machine, profile: &str) -> String {
    let owned = open_profile(&machine.profile(profile)).unwrap();
    let ports = owned.own_ports(&HttpOptions::default()).await.unwrap().unwrap();
    let unlocked = unlock(&ports, &Password::new(PASSWORD).unwrap()).await.unwrap();
    let api = Api::new(ports.transport.clone());
    let state = unlocked.state();
    let (account_id, signer) = (state.account_id(), Signer::Device(unlocked.device_id()));
    let heads: Vec<VaultHead> =
        state.vaults().keys().map(|vault_id| VaultHead { vault_id: *vault_id, head: LIE }).collect();
    let slot = vec![9; 120];
    let ghost = LinkBody::VaultCreate(VaultCreate { vault_id: GHOST, slot: slot_hash(&slot) });
    let ghost = unlocked.sign_link(AccountLink::after(account_id, &state.head(), signer, 0, heads, ghost));
    let body = HealAccount { links: vec![ghost.to_body()], slots: vec![Bytes(slot)], record: None };
    api.heal_account(&body).await.unwrap();
    unlocked.device_id().to_string()
}

#[test]
fn a_device_is_removed_whatever_it_has_signed() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["add", "--title", "Bank", "--username", "anna"]);
    machine.sign_in("phone");
    machine.sign_in("tablet");
    machine.json("laptop", &["sync"]);
    machine.json("phone", &["sync"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tablet = runtime.block_on(poison(&machine, "tablet"));
    let alarm = machine.run("laptop", &["sync"]);
    assert_ne!(alarm.code, Some(0), "{alarm:?}");
    // What is written is kept and sent all the same.
    let added = machine.run("laptop", &["add", "--title", "Written meanwhile"]).ends(1);
    assert_eq!(added.failure(), "vault-not-there");
    assert!(added.out.contains("saved on this device") && added.out.contains(&tablet), "{added:?}");

    // Nobody is there to say what becomes of the vault.
    let revoke = ["device", "revoke", &tablet, "--reason", "retired", "--yes"];
    let unasked = machine.run("laptop", &revoke).ends(2);
    assert_eq!(unasked.failure(), "usage");
    assert!(unasked.out.contains("nothing was removed"), "{unasked:?}");
    let question = "Take them out of the account for good? [y/N] ";
    let mut terminal = Terminal::open(&machine, "");
    for (answer, code) in [("n", 1), ("y", 0)] {
        terminal.start(&format!("--profile laptop device revoke {tablet} --reason retired"));
        terminal.answer("Password: ", PASSWORD);
        terminal.answer("This cannot be undone. [y/N] ", "y");
        let shown = terminal.answer(question, answer);
        assert!(shown.contains(&GHOST.to_string()), "{shown}");
        let (shown, ended) = terminal.ended();
        assert_eq!(ended, code, "{shown}");
        assert_eq!(shown.contains("You said no, so nothing was removed"), answer == "n", "{shown}");
    }
    for profile in ["phone", "laptop", "phone"] {
        machine.json(profile, &["sync"]);
    }
    assert_eq!(machine.titles("phone"), ["Bank", "Written meanwhile"]);
    machine.json("phone", &["add", "--title", "After it"]);
    machine.json("laptop", &["sync"]);
    assert_eq!(machine.titles("laptop"), ["After it", "Bank", "Written meanwhile"]);
    assert_eq!(machine.run("tablet", &["sync"]).failure(), "device-revoked");
}

/// A server can say of any vault that it is not there: a recovery ends none because of it, unless a person says so.
#[test]
fn a_recovery_ends_no_vault_unasked() {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["add", "--title", "Bank", "--username", "anna"]);
    machine.sign_in("tablet");
    machine.json("laptop", &["sync"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(poison(&machine, "tablet"));
    let sheet = machine.path("papers/lockstep-recovery-sheet.txt");
    let papers = machine.path("new-papers");
    let (sheet, papers) = (sheet.to_str().unwrap(), papers.to_str().unwrap());
    let begun = machine.run("new", &["recover", "--yes", "--sheet", sheet, "--kit-dir", papers]).ends(2);
    assert_eq!(begun.json()["error"]["code"], "usage", "{begun:?}");
    for told in [&GHOST.to_string(), "nothing was removed", "The recovery waits: run `lockstep recover"] {
        assert!(begun.out.contains(told), "{begun:?}");
    }
    machine.run("laptop", &["list"]).done();
    let mut terminal = Terminal::open(&machine, "");
    terminal.start(&format!("--profile new --yes recover --kit-dir {papers}"));
    terminal.answer("Password: ", PASSWORD);
    terminal.answer("Take them out of the account for good? [y/N] ", "y");
    let (shown, code) = terminal.ended();
    assert_eq!(code, 0, "{shown}");
    machine.json("new", &["sync"]);
    assert_eq!(machine.titles("new"), ["Bank"]);
}
