//! What becomes of a link that the server does not take: R-ONCE holds against whatever it says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_proto::api::account::{AppendLinks, Appended, BarDevices, Barred, LogPage};
use lockstep_proto::api::{CBOR, ErrorCode, PROBLEM_CBOR, Problem};
use lockstep_proto::ids::Hash;
use lockstep_proto::log::{AccountLink, LinkBody, RecoveryChange, Signer, VaultHead};
use lockstep_proto::sign::Signed;
use lockstep_proto::wrap::slot_hash;

use super::super::*;
use super::device::{Device, account};
use super::links::{SEEN, create_vault, vault_id};
use super::rekey::{Plan, rekey};
use super::server::{Loss, Server, read, write};
use crate::api::ApiError;
use crate::ports::{LocalStore as _, Response, Table};
use crate::testing::{TestRandom, block_on};

const LINKS: &str = "/v1/account/links";

fn problem(problem: &Problem, response: &mut Response) {
    response.status = problem.status;
    response.content_type = PROBLEM_CBOR.to_owned();
    response.body = write(problem);
}

/// Loses links, and answers each with this.
fn refuse(server: &Server, code: ErrorCode) {
    server.tamper(move |path, response| {
        if path == LINKS {
            problem(&Problem::new(code, "no").with_retry_after(3_600), response);
        }
    });
}

fn waits(device: &Device) -> bool {
    block_on(device.store.read(Table::Profile, b"link-in-flight")).unwrap().is_some()
}

fn send(
    device: &Device,
    unlocked: &mut Unlocked,
    link: &Signed<AccountLink>,
    parts: LinkParts,
) -> Result<(), AccountError> {
    let api = device.api();
    let session = unlocked.session(&api);
    block_on(append_link(&device.ports, &api, unlocked, &session, link.clone(), parts))
}

fn resume(device: &Device, unlocked: &mut Unlocked) -> Result<(), AccountError> {
    let api = device.api();
    let session = unlocked.session(&api);
    block_on(resume_link(&device.ports, &api, unlocked, &session))
}

/// A server may have taken a link and answer anything. What was sent once is sent as it is, or found in the log.
#[test]
fn whatever_the_server_answers_a_link_waits_until_it_is_there() {
    for code in [
        ErrorCode::Internal,
        ErrorCode::NoVault,
        ErrorCode::LinkRefused,
        ErrorCode::QuotaExceeded,
        ErrorCode::RecoveryTooEarly,
        ErrorCode::Unknown,
    ] {
        let (server, device, mut signed_up) = account();
        refuse(&server, code);
        let error = create_vault(&device, &mut signed_up.unlocked, 1).unwrap_err();
        match code {
            ErrorCode::NoVault => assert!(matches!(error, AccountError::VaultNotThere)),
            _ => assert!(matches!(error, AccountError::Api(_)), "{code:?}: {error}"),
        }
        assert!(waits(&device) && signed_up.unlocked.state().vaults().is_empty());
        server.be_honest();
        let other = create_vault(&device, &mut signed_up.unlocked, 2).unwrap_err();
        assert!(matches!(other, AccountError::LinkInFlight));
        resume(&device, &mut signed_up.unlocked).unwrap();
        let sent = server.sent(LINKS);
        assert!(sent.iter().all(|body| *body == sent[0]) && sent.len() >= 2);
        assert!(!waits(&device) && signed_up.unlocked.state().vaults().contains_key(&vault_id(1)));
    }
}

#[test]
fn a_server_that_says_that_it_took_something_else_is_not_believed() {
    let (server, device, mut signed_up) = account();
    server.tamper(|path, response| {
        if path == LINKS {
            let mut appended: Appended = read(&response.body);
            appended.head.hash = Hash([9; 32]);
            response.body = write(&appended);
        }
    });
    let error = create_vault(&device, &mut signed_up.unlocked, 1).unwrap_err();
    assert!(matches!(error, AccountError::Api(ApiError::Garbage { .. })), "{error}");
    assert!(waits(&device) && signed_up.unlocked.state().vaults().is_empty());
}

/// It says that the log has moved on, and shows nothing new: the link is not given up for that.
#[test]
fn a_move_that_is_not_shown_is_no_reason_to_give_a_link_up() {
    let (server, device, mut signed_up) = account();
    let pinned = signed_up.unlocked.state().head();
    server.tamper(move |path, response| match path {
        LINKS => problem(&Problem::new(ErrorCode::HeadMoved, "pull first"), response),
        "/v1/account/log" => {
            response.body = write(&LogPage { links: Vec::new(), head: pinned, more: false });
        }
        _ => {}
    });
    let error = create_vault(&device, &mut signed_up.unlocked, 1).unwrap_err();
    assert!(matches!(error, AccountError::Withheld { head } if head == pinned), "{error}");
    assert!(waits(&device) && signed_up.unlocked.state().head() == pinned);
    server.be_honest();
    resume(&device, &mut signed_up.unlocked).unwrap();
    assert!(!waits(&device) && signed_up.unlocked.state().vaults().contains_key(&vault_id(1)));
}

/// A change of the Recovery Key that comes too early would keep a removal waiting for days, so it alone is given up.
#[test]
fn a_change_of_the_recovery_key_that_is_too_early_is_given_up_and_signed_anew_later() {
    let (server, device, mut signed_up) = account();
    let unlocked = &mut signed_up.unlocked;
    let recovery = RecoveryKey::make(&TestRandom::new(5)).derive_public_keys();
    let password_key = device.password_key(unlocked);
    let link = |unlocked: &Unlocked, signer: Signer, body: LinkBody| {
        let head = unlocked.state().head();
        let link = AccountLink::after(unlocked.account_id(), &head, signer, 0, Vec::new(), body);
        unlocked.sign_link(link).countersigned(&password_key.signing())
    };
    let own = Signer::Device(unlocked.device_id());
    let announce = link(unlocked, own, LinkBody::RecoveryAnnounce(Box::new(recovery.clone())));
    send(&device, unlocked, &announce, LinkParts::default()).unwrap();
    let slot = vec![7; 200];
    let change = RecoveryChange { recovery, slot: slot_hash(&slot) };
    let change = link(unlocked, own, LinkBody::RecoveryChange(Box::new(change)));
    let (account_id, before) = (unlocked.account_id(), server.links(&unlocked.account_id()));
    refuse(&server, ErrorCode::RecoveryTooEarly);
    let error = send(&device, unlocked, &change, LinkParts::of_slots(vec![slot.clone()])).unwrap_err();
    assert!(matches!(error, AccountError::RecoveryTooEarly { seconds: 3_600 }), "{error}");
    assert!(!waits(&device));
    server.be_honest();
    server.set_links(&account_id, before);
    create_vault(&device, unlocked, 1).unwrap();
}

/// The bars of a removal may have ended before its link came: it is barred again with what was signed for it, once, and
/// what the server says then counts.
#[test]
fn a_removal_whose_bars_have_ended_bars_again_and_sends_the_same_link() {
    let (server, device, mut signed_up) = account();
    let second = Device::new(&server, 3);
    let gone = second.sign_in(&signed_up.kit).unwrap().device_id();
    let unlocked = &mut signed_up.unlocked;
    device.pull(unlocked).unwrap();
    create_vault(&device, unlocked, 1).unwrap();
    let before = unlocked.state().head();
    let (link, slots) = rekey(&device, unlocked, &Plan::honest(vec![gone]));
    assert_eq!(link.value().heads, [VaultHead { vault_id: vault_id(1), head: SEEN }]);
    let refusals = Arc::new(AtomicUsize::new(1));
    let left = Arc::clone(&refusals);
    server.tamper(move |path, response| {
        let refuses = |left: usize| left.checked_sub(1);
        if path == LINKS && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuses).is_ok() {
            problem(&Problem::new(ErrorCode::NotBarred, "its bars have ended"), response);
        }
        if path == "/v1/account/bar" {
            response.status = 200;
            response.content_type = CBOR.to_owned();
            response.body = write(&Barred { until_ms: 1 });
        }
    });
    send(&device, unlocked, &link, LinkParts::of_slots(slots)).unwrap();
    let bars: Vec<BarDevices> = server.sent("/v1/account/bar").iter().map(|body| read(body)).collect();
    assert_eq!(bars, [BarDevices { devices: vec![gone], head: None, signature: None }]);
    let sent: Vec<AppendLinks> = server.sent(LINKS).iter().map(|body| read(body)).collect();
    assert_eq!(sent[sent.len() - 1], sent[sent.len() - 2]);
    assert!(!waits(&device) && unlocked.state().head() != before);
}

/// Refused again after that: the device has written meanwhile. The link waits until that commit is here.
#[test]
fn a_removal_that_is_refused_for_its_cut_off_waits() {
    let (server, device, mut signed_up) = account();
    let second = Device::new(&server, 3);
    let gone = second.sign_in(&signed_up.kit).unwrap().device_id();
    let unlocked = &mut signed_up.unlocked;
    device.pull(unlocked).unwrap();
    create_vault(&device, unlocked, 1).unwrap();
    let (link, slots) = rekey(&device, unlocked, &Plan::honest(vec![gone]));
    server.tamper(|path, response| {
        if path == LINKS {
            problem(&Problem::new(ErrorCode::NotBarred, "it wrote"), response);
        }
        if path == "/v1/account/bar" {
            response.status = 200;
            response.content_type = CBOR.to_owned();
            response.body = write(&Barred { until_ms: 1 });
        }
    });
    let error = send(&device, unlocked, &link, LinkParts::of_slots(slots)).unwrap_err();
    assert!(matches!(error, AccountError::CutOffPassed), "{error}");
    assert_eq!(server.sent("/v1/account/bar").len(), 1);
    let cut_offs = block_on(waiting_cut_offs(&device.ports, unlocked)).unwrap().unwrap();
    assert_eq!(cut_offs, (vec![gone], vec![VaultHead { vault_id: vault_id(1), head: SEEN }]));
    assert!(!block_on(recovery_waits(&device.ports, unlocked)).unwrap());
    // Given up once its cut-off is known to be passed: then another link may be made.
    block_on(give_up_link(&device.ports)).unwrap();
    assert_eq!(block_on(waiting_cut_offs(&device.ports, unlocked)).unwrap(), None);
}

/// A record of a link that was changed outside this program stops what depends on it, and is not taken for none.
#[test]
fn a_damaged_link_in_flight_is_told_and_nothing_is_signed_beside_it() {
    let (server, device, mut signed_up) = account();
    server.lose(LINKS, Loss::Request);
    create_vault(&device, &mut signed_up.unlocked, 1).unwrap_err();
    let mut batch = crate::ports::Batch::new();
    let mut sealed = block_on(device.store.read(Table::Profile, b"link-in-flight")).unwrap().unwrap();
    *sealed.last_mut().unwrap() ^= 1;
    batch.put(Table::Profile, b"link-in-flight".to_vec(), sealed);
    block_on(device.store.write(batch)).unwrap();
    let sent = server.sent(LINKS).len();
    for error in [
        create_vault(&device, &mut signed_up.unlocked, 2).unwrap_err(),
        resume(&device, &mut signed_up.unlocked).unwrap_err(),
    ] {
        assert!(matches!(error, AccountError::Profile(ProfileError::Damaged(_))), "{error}");
    }
    assert_eq!(server.sent(LINKS).len(), sent);
}
