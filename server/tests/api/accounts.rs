//! Sign-up, sign-in, sessions, the account log.

use lockstep_domain::services::SignupRule;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::{Appended, LogPage, Slots};
use lockstep_proto::api::info::{Info, SignupPolicy};
use lockstep_proto::api::session::{Challenge, ChallengeRequest, Session};
use lockstep_proto::api::signin::{SigninAnswer, SigninStart};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{AccountId, Seq};
use lockstep_proto::log::{DeviceAdd, Enrolment, LinkBody, Signer};
use lockstep_proto::wrap::slot_hash;

use crate::support::{Account, Backend, Device, World};

#[actix_web::test]
async fn a_new_account_can_read_its_log_and_slots() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let log: LogPage = world.get("/v1/account/log", &token).await.ok();
        assert_eq!(log.links, [account.signup.genesis.clone(), account.signup.auth_update.clone()]);
        assert_eq!((log.head, log.more), (account.head, false));
        let rest: LogPage = world.get("/v1/account/log?after=0", &token).await.ok();
        assert_eq!(rest.links.len(), 1);
        let slots: Slots = world.get("/v1/account/slots", &token).await.ok();
        assert_eq!(slots.slots.len(), 4);
        assert!(slots.slots.iter().all(|slot| slot_hash(&slot.bytes) == slot.hash));
    }
}

#[actix_web::test]
async fn signing_up_twice_with_the_same_bytes_answers_the_same() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let account = Account::sign_up(&world).await;
        let first = world.post("/v1/signup/finish", "", &account.signup).await;
        let second = world.post("/v1/signup/finish", "", &account.signup).await;
        assert_eq!((first.status, second.status), (201.try_into().unwrap(), 201.try_into().unwrap()));
    }
}

#[actix_web::test]
async fn a_sign_up_that_does_not_fit_its_links_is_refused_and_leaves_nothing() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let account = Account::prepare(&world, None).await.ok().unwrap();
        let finish = |change: &dyn Fn(&mut lockstep_proto::api::signup::SignupFinish)| {
            let mut request = account.signup.clone();
            change(&mut request);
            request
        };
        let flip = |bytes: &mut Bytes| *bytes.0.last_mut().unwrap() ^= 1;
        for (request, code) in [
            (finish(&|request| flip(&mut request.genesis)), ErrorCode::LinkRefused),
            (finish(&|request| flip(&mut request.auth_update)), ErrorCode::LinkRefused),
            (finish(&|request| flip(&mut request.slots[0])), ErrorCode::BadSlot),
            (finish(&|request| request.slots.truncate(3)), ErrorCode::BadSlot),
            (finish(&|request| request.slots.push(Bytes(vec![1]))), ErrorCode::BadSlot),
            (finish(&|request| flip(&mut request.record)), ErrorCode::BadSlot),
            (finish(&|request| request.genesis.0.truncate(9)), ErrorCode::BadFormat),
        ] {
            assert_eq!(world.post("/v1/signup/finish", "", &request).await.code(), code);
        }
        let info: Info = world.get("/v1/info", "").await.ok();
        assert_eq!(info.signup, SignupPolicy::FirstAccount);
    }
}

#[actix_web::test]
async fn the_first_account_may_always_sign_up_and_later_ones_as_the_rule_says() {
    for backend in Backend::ALL {
        for (rule, policy, code) in [
            (SignupRule::Closed, SignupPolicy::Closed, ErrorCode::SignupClosed),
            (SignupRule::Invite, SignupPolicy::Invite, ErrorCode::InviteNeeded),
        ] {
            let world = World::start_with(backend, rule).await;
            let late = Account::prepare(&world, Some("guess".into())).await.ok().unwrap();
            Account::sign_up(&world).await;
            let info: Info = world.get("/v1/info", "").await.ok();
            assert_eq!(info.signup, policy);
            assert_eq!(Account::prepare(&world, None).await.err().unwrap().code(), code);
            assert_eq!(world.post("/v1/signup/finish", "", &late.signup).await.code(), code);
        }
    }
}

#[actix_web::test]
async fn an_invitation_is_good_for_one_account_and_seven_days() {
    for backend in Backend::ALL {
        let world = World::start_with(backend, SignupRule::Invite).await;
        Account::sign_up(&world).await;
        let code = world.app.make_invite().await.unwrap();
        let guest = Account::prepare(&world, Some(code.clone())).await.ok().unwrap();
        assert!(world.post("/v1/signup/finish", "", &guest.signup).await.status.is_success());
        assert!(world.post("/v1/signup/finish", "", &guest.signup).await.status.is_success());
        let spent = Account::prepare(&world, Some(code)).await.err().unwrap();
        assert_eq!(spent.code(), ErrorCode::InviteNeeded);
        let code = world.app.make_invite().await.unwrap();
        world.clock.advance_seconds(7 * 24 * 60 * 60);
        let late = Account::prepare(&world, Some(code)).await.err().unwrap();
        assert_eq!(late.code(), ErrorCode::InviteNeeded);
    }
}

#[actix_web::test]
async fn a_new_device_comes_in_by_password_and_enrolment_key() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let enrolment = account.sign_in(&world, &account.password).await.ok().unwrap();
        let device = Device::new();
        assert_eq!(account.open_session(&world, &device).await.code(), ErrorCode::ChallengeFailed);
        let request = account.add_by_kit(&device);
        let token = &enrolment.enrolment_token;
        for _ in 0..2 {
            let appended: Appended = world.post("/v1/account/links", token, &request).await.ok();
            assert_eq!(appended.head, account.head);
        }
        account.open_session(&world, &device).await.ok::<Session>();
        let log: LogPage = world.get("/v1/account/log", token).await.ok();
        assert_eq!(log.head.seq, Seq(2));
    }
}

#[actix_web::test]
async fn a_wrong_password_gives_no_session_and_an_unknown_account_looks_the_same() {
    let world = World::start(Backend::Memory).await;
    let mut account = Account::sign_up(&world).await;
    let wrong = account.sign_in(&world, b"wrong").await.err().unwrap();
    account.id = AccountId([9; 32]);
    let unknown = account.sign_in(&world, &account.password).await.err().unwrap();
    assert_eq!(wrong.code(), ErrorCode::SigninFailed);
    assert_eq!(wrong.bytes, unknown.bytes);
    let answer: SigninAnswer = {
        let start = SigninStart { account_id: account.id, ke1: ke1() };
        world.post("/v1/signin/start", "", &start).await.ok()
    };
    assert_eq!(answer.ke2.len(), 320);
}

fn ke1() -> Bytes {
    crate::support::start_login(b"any").into()
}

#[actix_web::test]
async fn too_many_sign_ins_without_a_valid_end_must_wait() {
    let world = World::start(Backend::Memory).await;
    let account = Account::sign_up(&world).await;
    for _ in 0..30 {
        account.sign_in(&world, &account.password).await.ok().unwrap();
    }
    let refused = loop {
        let answer = account.sign_in(&world, b"wrong").await.err().unwrap();
        if answer.code() != ErrorCode::SigninFailed {
            break answer.problem();
        }
    };
    assert_eq!(refused.code, ErrorCode::TooManyAttempts);
    world.clock.advance_seconds(u64::from(refused.retry_after_seconds.unwrap()));
    account.sign_in(&world, &account.password).await.ok().unwrap();
}

#[actix_web::test]
async fn a_challenge_is_good_once_for_its_device_and_for_a_minute() {
    let world = World::start(Backend::Memory).await;
    let account = Account::sign_up(&world).await;
    let (device, other) = (&account.device, Device::new());
    let asked = ChallengeRequest { account_id: account.id, device_id: device.id() };
    let ask = async || -> Challenge { world.post("/v1/session/challenge", "", &asked).await.ok() };

    let nonce = ask().await.nonce;
    let proof = account.proof(&world, device, &nonce);
    world.post("/v1/session", "", &proof).await.ok::<Session>();
    assert_eq!(world.post("/v1/session", "", &proof).await.code(), ErrorCode::ChallengeFailed);

    let mut forged = account.proof(&world, &other, &ask().await.nonce);
    forged.device_id = device.id();
    assert_eq!(world.post("/v1/session", "", &forged).await.code(), ErrorCode::ChallengeFailed);

    let late = account.proof(&world, device, &ask().await.nonce);
    world.clock.advance_seconds(61);
    assert_eq!(world.post("/v1/session", "", &late).await.code(), ErrorCode::ChallengeFailed);
}

#[actix_web::test]
async fn a_link_on_an_old_head_is_refused_with_the_head() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let before = account.head;
        let pair = |account: &mut Account| {
            let body = LinkBody::DeviceAdd(DeviceAdd { keys: Device::new().keys, how: Enrolment::Pairing });
            let key = account.device.key.clone();
            let link = account.link(Signer::Device(account.device.id()), &key, body);
            lockstep_proto::api::account::AppendLinks { links: vec![link], slots: Vec::new(), record: None }
        };
        let first = pair(&mut account);
        let appended: Appended = world.post("/v1/account/links", &token, &first).await.ok();
        account.head = before;
        let second = pair(&mut account);
        let problem = world.post("/v1/account/links", &token, &second).await.problem();
        assert_eq!((problem.code, problem.head), (ErrorCode::HeadMoved, Some(appended.head)));
    }
}
