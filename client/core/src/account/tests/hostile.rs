//! What a hostile server tries (attack ids as in the design's table).

use lockstep_proto::api::account::{LogPage, Slots};
use lockstep_proto::api::{CBOR, ErrorCode, PROBLEM_CBOR, Problem};
use lockstep_proto::bytes::Bytes;

use super::super::*;
use super::device::{Device, account};
use super::links::create_vault;
use super::server::{read, write};
use crate::ports::Response;

fn refused(tamper: impl Fn(&str, &mut Response) + Send + 'static) -> SignInError {
    let (server, _, signed_up) = account();
    let second = Device::new(&server, 3);
    server.tamper(tamper);
    let refused = second.sign_in(&signed_up.kit).err().unwrap();
    assert!(second.is_untouched());
    assert!(server.sent("/v1/account/links").is_empty());
    refused
}

#[test]
fn a01_an_unknown_profile_stops_the_sign_in_before_anything_depends_on_the_password() {
    for profile in [0_u16, 2, 9] {
        let (server, _, signed_up) = account();
        let second = Device::new(&server, 3);
        server.tamper(move |path, response| {
            if path == "/v1/signin/start" {
                let mut answer: ciborium::Value = read(&response.body);
                let fields = answer.as_map_mut().unwrap();
                let field = fields.iter_mut().find(|(name, _)| name.as_text() == Some("profile")).unwrap();
                field.1 = profile.into();
                response.body = write(&answer);
            }
        });
        assert!(second.sign_in(&signed_up.kit).is_err());
        assert!(server.sent("/v1/signin/finish").is_empty() && second.is_untouched());
    }
}

#[test]
fn a04_every_changed_slot_is_refused() {
    for slot in 0..4 {
        let error = refused(move |path, response| {
            if path == "/v1/account/slots" {
                let mut slots: Slots = read(&response.body);
                slots.slots[slot].bytes.0[40] ^= 1;
                response.body = write(&slots);
            }
        });
        assert!(matches!(error, SignInError::Account(AccountError::SlotMissing { .. })), "{error}");
    }
}

#[test]
fn a04_every_changed_link_is_refused() {
    for position in [3, 30, 200, 2_000] {
        let error = refused(move |path, response| {
            if path == "/v1/account/log" {
                let mut page: LogPage = read(&response.body);
                page.links[0].0[position] ^= 1;
                response.body = write(&page);
            }
        });
        assert!(matches!(error, SignInError::Account(_)), "{error}");
    }
}

#[test]
fn a11_empty_and_truncated_answers_are_no_answers() {
    for path in ["/v1/info", "/v1/signin/start", "/v1/signin/finish", "/v1/account/log", "/v1/account/slots"]
    {
        for keep in [0, 1, 5] {
            let error = refused(move |found, response| {
                if found == path {
                    response.body.truncate(keep);
                }
            });
            assert!(matches!(error, SignInError::Account(AccountError::Api(_))), "{path}: {error}");
        }
    }
}

#[test]
fn a12_another_accounts_log_is_refused() {
    let (other_server, _, other) = account();
    let other_links = other_server.links(&other.kit.account_id);
    let other_head = other.unlocked.state().head();
    let (server, _, signed_up) = {
        let server = std::sync::Arc::new(super::server::Server::new());
        let device = Device::new(&server, 50);
        let signed_up = device.sign_up().unwrap();
        (server, device, signed_up)
    };
    server.tamper(move |path, response| {
        if path == "/v1/account/log" {
            let links = other_links.iter().cloned().map(Bytes).collect();
            response.body = write(&LogPage { links, head: other_head, more: false });
        }
    });
    let second = Device::new(&server, 3);
    let error = second.sign_in(&signed_up.kit).err().unwrap();
    assert!(matches!(error, SignInError::Account(AccountError::OtherAccount)), "{error}");
}

#[test]
fn a16_missing_slots_make_no_keys() {
    let error = refused(|path, response| {
        if path == "/v1/account/slots" {
            let mut slots: Slots = read(&response.body);
            slots.slots.clear();
            response.body = write(&slots);
        }
    });
    assert!(matches!(error, SignInError::Account(AccountError::SlotMissing { .. })), "{error}");
}

#[test]
fn a16_a_log_without_its_sign_in_is_refused() {
    let error = refused(|path, response| {
        if path == "/v1/account/log" {
            let mut page: LogPage = read(&response.body);
            page.links.truncate(1);
            response.body = write(&page);
        }
    });
    assert!(matches!(error, SignInError::Account(AccountError::Withheld { .. })), "{error}");
}

#[test]
fn another_server_is_refused_before_anything_depends_on_the_password() {
    let (server, _, signed_up) = account();
    let second = Device::new(&server, 3);
    let mut kit = signed_up.kit;
    kit.server_id.0[0] ^= 1;
    assert!(matches!(second.sign_in(&kit), Err(SignInError::OtherServer)));
    assert!(server.sent("/v1/signin/start").is_empty());
}

#[test]
fn a07_a_log_that_ends_below_the_pin_changes_nothing() {
    let (server, device, mut signed_up) = account();
    create_vault(&device, &mut signed_up.unlocked, 1).unwrap();
    let mut links = server.links(&signed_up.kit.account_id);
    links.pop();
    server.set_links(&signed_up.kit.account_id, links);
    let before = signed_up.unlocked.state().clone();
    let error = device.pull(&mut signed_up.unlocked).unwrap_err();
    assert!(matches!(error, AccountError::Behind { .. }), "{error}");
    assert_eq!(*signed_up.unlocked.state(), before);
    assert_eq!(*device.unlock().unwrap().state(), before);
}

#[test]
fn a10_another_branch_is_refused() {
    let (server, first, mut signed_up) = account();
    let fork = server.links(&signed_up.kit.account_id);
    let elsewhere = first.after_power_cut();
    create_vault(&first, &mut signed_up.unlocked, 1).unwrap();
    server.set_links(&signed_up.kit.account_id, fork);
    let mut other = elsewhere.unlock().unwrap();
    for extra in [2, 3] {
        create_vault(&elsewhere, &mut other, extra).unwrap();
        let error = first.pull(&mut signed_up.unlocked).unwrap_err();
        assert!(matches!(error, AccountError::Diverged { .. }), "{error}");
        assert_eq!(first.unlock().unwrap().state().vaults().len(), 1);
    }
}

#[test]
fn withheld_links_and_endless_pages_are_named() {
    let (server, device, mut signed_up) = account();
    server.tamper(|path, response| {
        if path == "/v1/account/log" {
            let mut page: LogPage = read(&response.body);
            page.head.seq = page.head.seq.next();
            response.body = write(&page);
        }
    });
    assert!(matches!(device.pull(&mut signed_up.unlocked), Err(AccountError::Withheld { .. })));
    server.tamper(|path, response| {
        if path == "/v1/account/log" {
            let mut page: LogPage = read(&response.body);
            page.more = true;
            response.body = write(&page);
        }
    });
    assert!(matches!(device.pull(&mut signed_up.unlocked), Err(AccountError::Api(_))));
    server.be_honest();
    device.pull(&mut signed_up.unlocked).unwrap();
}

#[test]
fn a_refusal_never_signs_out() {
    let (server, device, mut signed_up) = account();
    for (status, code) in
        [(401, ErrorCode::DeviceRevoked), (404, ErrorCode::NotFound), (401, ErrorCode::ChallengeFailed)]
    {
        server.tamper(move |_, response| {
            let body = write(&Problem::new(code, "go away"));
            *response = Response { status, content_type: PROBLEM_CBOR.to_owned(), body, retry_after: None };
        });
        let error = device.pull(&mut signed_up.unlocked).unwrap_err();
        assert!(matches!(error, AccountError::Api(_)));
        assert!(device.unlock().is_ok());
    }
    server.tamper(|_, response| {
        *response =
            Response { status: 200, content_type: CBOR.to_owned(), body: vec![0xf6], retry_after: None };
    });
    assert!(device.pull(&mut signed_up.unlocked).is_err());
    assert!(device.unlock().is_ok());
}
