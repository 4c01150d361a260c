//! Who may sign up, with what, and what a second try answers.

use lockstep_domain::ServerSecrets;
use lockstep_domain::services::{Admissions, FirstAccount, SignupRule, setup_token};
use lockstep_proto::api::account::Slots;
use lockstep_proto::api::info::{Info, SignupPolicy};
use lockstep_proto::api::signup::{SignupDone, SignupFinish, SignupStart};
use lockstep_proto::api::{ErrorCode, SLOT_LIMIT};
use lockstep_proto::bytes::Bytes;
use lockstep_server::SystemRandom;

use crate::support::{Account, Backend, Place, Registration, World, open, random};

const RULES: [(SignupRule, SignupPolicy, Option<ErrorCode>); 3] = [
    (SignupRule::Open, SignupPolicy::Open, None),
    (SignupRule::Invite, SignupPolicy::Invite, Some(ErrorCode::InviteNeeded)),
    (SignupRule::Closed, SignupPolicy::Closed, Some(ErrorCode::SignupClosed)),
];

async fn finish(world: &World, request: &SignupFinish) -> Result<SignupDone, ErrorCode> {
    let answer = world.post("/v1/signup/finish", "", request).await;
    if answer.status.is_success() { Ok(answer.ok()) } else { Err(answer.code()) }
}

#[actix_web::test]
async fn the_rule_begins_with_the_second_account() {
    for backend in Backend::ALL {
        for (rule, policy, refusal) in RULES {
            let world = World::start_with(backend, rule).await;
            let code = world.app.make_invite().await.unwrap();
            // Prepared while the server was empty: the end decides, not the beginning.
            let plain = Account::prepare(&world, None).await.ok().unwrap();
            let guessed = Account::prepare(&world, Some("guess".into())).await.ok().unwrap();
            let invited = Account::prepare(&world, Some(code.clone())).await.ok().unwrap();
            let info: Info = world.get("/v1/info", "").await.ok();
            assert_eq!(info.signup, SignupPolicy::FirstAccount);
            Account::sign_up(&world).await;
            let info: Info = world.get("/v1/info", "").await.ok();
            assert_eq!(info.signup, policy);
            for account in [&plain, &guessed] {
                assert_eq!(finish(&world, &account.signup).await.err(), refusal, "{rule:?}");
                assert_eq!(world.store.record(account.id).await.unwrap().is_some(), refusal.is_none());
            }
            let by_invitation = finish(&world, &invited.signup).await.err();
            let expected = refusal.filter(|code| *code == ErrorCode::SignupClosed);
            assert_eq!(by_invitation, expected, "{rule:?}");
            assert_eq!(Account::prepare(&world, None).await.err().map(|answer| answer.code()), refusal);
            let spent = Account::prepare(&world, Some(code)).await.err().map(|answer| answer.code());
            assert_eq!(spent, refusal, "{rule:?}");
        }
    }
}

#[actix_web::test]
async fn the_set_up_token_makes_one_account_and_it_is_the_first() {
    for backend in Backend::ALL {
        for (rule, _, refusal) in RULES {
            let folder = Place::new();
            let secrets = ServerSecrets::make(&SystemRandom);
            let guarded = Admissions { first: FirstAccount::SetupToken, ..Admissions::unguarded(rule) };
            let world = World::admitting(open(backend, &folder), &secrets, guarded, folder).await;
            let token = setup_token(&secrets);
            assert_ne!(token, setup_token(&ServerSecrets::make(&SystemRandom)));
            let invite = world.app.make_invite().await.unwrap();
            let refused = refusal.map(|_| ErrorCode::InviteNeeded);
            let info: Info = world.get("/v1/info", "").await.ok();
            let first = if refused.is_some() { SignupPolicy::Invite } else { SignupPolicy::FirstAccount };
            assert_eq!(info.signup, first);

            // An invitation is for those who come after the operator.
            for wrong in [None, Some(String::new()), Some("guess".to_owned()), Some(invite.clone())] {
                let prepared = Account::prepare(&world, wrong.clone()).await;
                assert_eq!(prepared.err().map(|answer| answer.code()), refused, "{rule:?} {wrong:?}");
                // The end is guarded as the beginning is.
                let mut account = Account::prepare(&world, Some(token.clone())).await.ok().unwrap();
                account.signup.invite = wrong;
                if refused.is_some() {
                    assert_eq!(finish(&world, &account.signup).await.err(), refused);
                    assert!(world.store.is_empty().await.unwrap());
                }
            }
            let first = Account::prepare(&world, Some(token.clone())).await.ok().unwrap();
            let second = Account::prepare(&world, Some(token.clone())).await.ok().unwrap();
            let invited = Account::prepare(&world, Some(token.clone())).await.ok().unwrap();
            let done = finish(&world, &first.signup).await.unwrap();
            assert_eq!(finish(&world, &second.signup).await.err(), refusal, "{rule:?}");
            // The answer was lost: the same again.
            assert_eq!(finish(&world, &first.signup).await.unwrap(), done);
            first.sign_in(&world, &first.password).await.ok().unwrap();
            let by_invitation = SignupFinish { invite: Some(invite), ..invited.signup };
            let expected = refusal.filter(|code| *code == ErrorCode::SignupClosed);
            assert_eq!(finish(&world, &by_invitation).await.err(), expected, "{rule:?}");
        }
    }
}

#[actix_web::test]
async fn a_sign_up_sent_again_answers_the_same_after_the_server_was_closed() {
    for backend in Backend::ALL {
        let folder = Place::new();
        let secrets = ServerSecrets::make(&SystemRandom);
        let store = open(backend, &folder);
        let world = World::on(store.clone(), &secrets, SignupRule::Open, folder.clone()).await;
        Account::sign_up(&world).await;
        let account = Account::sign_up(&world).await;
        let closed = World::on(store, &secrets, SignupRule::Closed, folder).await;
        let again = finish(&closed, &account.signup).await.unwrap();
        assert_eq!((again.account_id, again.head), (account.id, account.head));
        // Neither other slots nor another record can come in that way.
        let mut other = account.signup.clone();
        other.slots[0].0[0] ^= 1;
        assert_eq!(finish(&closed, &other).await.err(), Some(ErrorCode::BadSlot));
        let token = account.token(&closed).await;
        let slots: Slots = closed.get("/v1/account/slots", &token).await.ok();
        assert!(account.signup.slots.iter().all(|sent| slots.slots.iter().any(|kept| kept.bytes == *sent)));
        account.sign_in(&closed, &account.password).await.ok().unwrap();
    }
}

#[actix_web::test]
async fn a50_whoever_may_have_no_account_has_nothing_verified() {
    for (rule, _, refusal) in RULES {
        let world = World::start_with(Backend::Memory, rule).await;
        let prepared = Account::prepare(&world, None).await.ok().unwrap();
        Account::sign_up(&world).await;
        // Neither links, slots nor record of this one are right.
        let mut spoiled = prepared.signup.clone();
        spoiled.auth_update = prepared.signup.genesis.clone();
        spoiled.slots[0].0[0] ^= 1;
        spoiled.record.0.clear();
        for invite in [None, Some("guess".to_owned())] {
            spoiled.invite = invite;
            let answer = finish(&world, &spoiled).await.err().unwrap();
            match refusal {
                Some(refusal) => assert_eq!(answer, refusal),
                None => assert!(!matches!(answer, ErrorCode::InviteNeeded | ErrorCode::SignupClosed)),
            }
        }
    }
}

#[actix_web::test]
async fn an_account_for_another_server_is_refused_with_the_reason() {
    for backend in Backend::ALL {
        let (here, there) = (World::start(backend).await, World::start(backend).await);
        let account = Account::prepare(&there, None).await.ok().unwrap();
        assert_eq!(finish(&here, &account.signup).await.err(), Some(ErrorCode::OtherServer));
        assert!(here.store.is_empty().await.unwrap());
        finish(&there, &account.signup).await.unwrap();
    }
}

#[actix_web::test]
async fn slots_and_record_are_exactly_those_that_the_links_name() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let account = Account::prepare(&world, None).await.ok().unwrap();
        let other = Account::prepare(&world, None).await.ok().unwrap();
        let changed = |change: &dyn Fn(&mut SignupFinish)| {
            let mut request = account.signup.clone();
            change(&mut request);
            request
        };
        for (name, request, code) in [
            ("no slots", changed(&|request| request.slots.clear()), ErrorCode::BadSlot),
            ("an empty slot", changed(&|request| request.slots[1].0.clear()), ErrorCode::BadSlot),
            (
                "a huge slot",
                changed(&|request| request.slots[1].0.resize(SLOT_LIMIT + 1, 0)),
                ErrorCode::BadSlot,
            ),
            (
                "one slot more",
                changed(&|request| request.slots.push(Bytes(random::<9>().to_vec()))),
                ErrorCode::BadSlot,
            ),
            (
                "another's slots",
                changed(&|request| request.slots = other.signup.slots.clone()),
                ErrorCode::BadSlot,
            ),
            (
                "another's record",
                changed(&|request| request.record = other.signup.record.clone()),
                ErrorCode::BadSlot,
            ),
            ("no record", changed(&|request| request.record.0.clear()), ErrorCode::BadSlot),
            (
                "another's second link",
                changed(&|request| request.auth_update = other.signup.auth_update.clone()),
                ErrorCode::LinkRefused,
            ),
            (
                "the genesis twice",
                changed(&|request| request.auth_update = request.genesis.clone()),
                ErrorCode::LinkRefused,
            ),
        ] {
            assert_eq!(finish(&world, &request).await.err(), Some(code), "{name}");
        }
        assert!(world.store.is_empty().await.unwrap());
        let reordered = changed(&|request| request.slots.reverse());
        finish(&world, &reordered).await.unwrap();
        finish(&world, &account.signup).await.unwrap();
    }
}

#[actix_web::test]
async fn an_account_that_is_there_is_not_made_again() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let account = Account::sign_up(&world).await;
        let before = world.store.link_page(account.id, None).await.unwrap();
        let request = Bytes(Registration::start(b"other").1);
        let start = SignupStart { account_id: account.id, request, invite: None };
        assert_eq!(world.post("/v1/signup/start", "", &start).await.code(), ErrorCode::AccountExists);
        // Registration for an account that exists needs a session of it.
        let body = lockstep_proto::api::account::RegistrationStart { request: start.request.clone() };
        let path = "/v1/account/registration";
        assert_eq!(world.post(path, "", &body).await.code(), ErrorCode::Unauthenticated);
        let token = account.token(&world).await;
        assert!(world.post(path, &token, &body).await.status.is_success());
        assert_eq!(world.store.link_page(account.id, None).await.unwrap(), before);
        account.sign_in(&world, &account.password).await.ok().unwrap();
    }
}

#[actix_web::test]
async fn nothing_may_follow_an_opaque_message() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        for padding in [&[0][..], &[7; 30_000]] {
            let padded = Account::prepare_padded(&world, None, padding).await.ok().unwrap();
            assert_eq!(finish(&world, &padded.signup).await.err(), Some(ErrorCode::BadSlot));
            let request = Bytes([&Registration::start(b"x").1, padding].concat());
            let start = SignupStart { account_id: padded.id, request, invite: None };
            assert_eq!(world.post("/v1/signup/start", "", &start).await.code(), ErrorCode::BadFormat);
        }
        assert!(world.store.is_empty().await.unwrap());
    }
}
