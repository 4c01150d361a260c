//! A49: whatever a crowd uses up from elsewhere, who knows no more of an account than its id keeps nobody out.

use std::net::Ipv4Addr;
use std::num::NonZeroU32;

use lockstep_domain::ServerSecrets;
use lockstep_domain::limits::RequestRates;
use lockstep_domain::services::{Admissions, FirstAccount, Restored, SignupRule};
use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::BarDevices;
use lockstep_proto::api::heal::{AccountHealed, HealAccount};
use lockstep_proto::api::recovery::RecoveryStart;
use lockstep_proto::api::session::Session;
use lockstep_proto::api::signin::SigninStart;
use lockstep_proto::api::signup::SignupFinish;
use lockstep_proto::ids::AccountId;
use lockstep_server::SystemRandom;

use crate::support::{Account, Answer, Backend, Device, Place, World, open, start_login};

const HOME: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CAFE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
const NOBODY: AccountId = AccountId([9; 32]);

fn stranger(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(198, 18, high, low)
}

async fn start_sign_in(world: &World, account_id: AccountId) -> Answer {
    let start = SigninStart { account_id, ke1: start_login(b"guess").into() };
    world.post("/v1/signin/start", "", &start).await
}

async fn start_recovery(world: &World, account_id: AccountId) -> Answer {
    world.post("/v1/recovery/challenge", "", &RecoveryStart { account_id }).await
}

/// A crowd begins so much, of which nothing succeeds, until a newcomer among it is refused. How often it was not.
async fn flood(world: &World, begin: impl AsyncFn() -> Answer) -> usize {
    let mut begun = 0;
    for number in 0..100 {
        world.move_to(stranger(number));
        let mut answers = 0;
        while begin().await.status.is_success() {
            answers += 1;
        }
        begun += answers;
        if answers == 0 {
            return begun;
        }
    }
    panic!("{begun} tries and no end");
}

#[actix_web::test]
async fn a49_the_owner_signs_in_recovers_and_syncs_while_a_crowd_has_used_up_everything() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        world.move_to(HOME);
        let account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let guesses = flood(&world, async || start_sign_in(&world, account.id).await).await;
        assert!(guesses >= 40, "{guesses}");

        // At home, where the owner got in before, nothing has changed.
        world.move_to(HOME);
        account.sign_in(&world, &account.password).await.ok().unwrap();
        account.open_recovery(&world, &account.recovery_key).await.ok().unwrap();
        // Devices are not asked for a budget of tries anywhere.
        world.move_to(CAFE);
        account.open_session(&world, &account.device).await.ok::<Session>();
        assert!(world.get("/v1/account/log", &token).await.status.is_success());
        // And where one of them has been, its owner may sign in, too.
        account.sign_in(&world, &account.password).await.ok().unwrap();
        // Elsewhere the owner waits, and is told how long.
        world.move_to(stranger(5_000));
        let refused = account.sign_in(&world, &account.password).await.err().unwrap();
        let wait = refused.problem().retry_after_seconds.unwrap();
        assert_eq!((refused.code(), refused.retry_after), (ErrorCode::TooManyAttempts, Some(wait)));
        world.clock.advance_seconds(wait.into());
        account.sign_in(&world, &account.password).await.ok().unwrap();
    }
}

#[actix_web::test]
async fn a49_no_crowd_keeps_the_recovery_key_out_wherever_its_owner_is() {
    let world = World::start(Backend::Memory).await;
    world.move_to(HOME);
    let account = Account::sign_up(&world).await;
    flood(&world, async || start_sign_in(&world, account.id).await).await;
    for number in 0..100 {
        world.move_to(stranger(number));
        assert!(start_recovery(&world, account.id).await.status.is_success(), "{number}");
    }
    world.move_to(stranger(5_000));
    assert!(account.sign_in(&world, &account.password).await.is_err());
    account.open_recovery(&world, &account.recovery_key).await.ok().unwrap();
}

#[actix_web::test]
async fn a49_limits_tell_nobody_which_accounts_are_there() {
    let world = World::start(Backend::Memory).await;
    world.move_to(HOME);
    let account = Account::sign_up(&world).await;
    let mut told = Vec::new();
    for (account_id, first) in [(account.id, 0), (NOBODY, 1_000)] {
        for begin in [0, 1] {
            let mut answers = Vec::new();
            for number in 0..5 {
                world.move_to(stranger(first + 100 * begin + number));
                for _ in 0..15 {
                    let answer = match begin {
                        0 => start_sign_in(&world, account_id).await,
                        _ => start_recovery(&world, account_id).await,
                    };
                    let refusal = (!answer.status.is_success()).then(|| answer.problem());
                    answers.push((answer.status, answer.bytes.len(), refusal));
                }
            }
            told.push(answers);
        }
    }
    assert_eq!((&told[0], &told[1]), (&told[2], &told[3]));
    assert!(told[0].iter().any(|(_, _, refusal)| refusal.is_some()));
}

#[actix_web::test]
async fn a49_after_a_restart_a_device_that_syncs_opens_its_owners_address_again() {
    let folder = Place::new();
    let (store, secrets) = (open(Backend::Sqlite, &folder), ServerSecrets::make(&SystemRandom));
    let before = World::on(store.clone(), &secrets, SignupRule::Open, folder.clone()).await;
    let account = Account::sign_up(&before).await;
    let world = World::on(store, &secrets, SignupRule::Open, folder).await;
    flood(&world, async || start_sign_in(&world, account.id).await).await;
    world.move_to(HOME);
    assert_eq!(start_sign_in(&world, account.id).await.code(), ErrorCode::TooManyAttempts);
    account.open_session(&world, &account.device).await.ok::<Session>();
    account.sign_in(&world, &account.password).await.ok().unwrap();
}

/// An account as its device would give it back.
pub(crate) fn given_back(signup: &SignupFinish) -> HealAccount {
    let links = vec![signup.genesis.clone(), signup.auth_update.clone()];
    HealAccount { links, slots: signup.slots.clone(), record: Some(signup.record.clone()) }
}

/// A server that was restored from a backup without any account.
async fn restored(backend: Backend) -> (World, World) {
    let secrets = ServerSecrets::make(&SystemRandom);
    let start = async |backend, restored| {
        let admissions = Admissions { first: FirstAccount::Anyone, rule: SignupRule::Invite, restored };
        let folder = Place::new();
        World::admitting(open(backend, &folder), &secrets, admissions, folder).await
    };
    let full =
        World::on(open(Backend::Memory, &Place::new()), &secrets, SignupRule::Open, Place::new()).await;
    (full, start(backend, Restored::Yes).await)
}

#[actix_web::test]
async fn a49_the_owner_gives_back_while_a_crowd_has_used_up_everything() {
    for backend in Backend::ALL {
        let (full, world) = restored(backend).await;
        let account = Account::sign_up(&full).await;
        let heal = async |request: &HealAccount| world.post("/v1/heal/account", "", request).await;
        // Links that do not verify, in the owner's name, too.
        let mut spoiled = given_back(&account.signup);
        let last = spoiled.links[0].0.len() - 1;
        spoiled.links[0].0[last] ^= 1;
        let mut theirs = spoiled.clone();
        theirs.links.remove(0);
        for number in 0..3 {
            world.move_to(stranger(number));
            let mut refusals = 0;
            loop {
                let answer = heal(if refusals % 2 == 0 { &spoiled } else { &theirs }).await;
                if answer.code() == ErrorCode::TooManyAttempts {
                    break;
                }
                refusals += 1;
            }
            assert_eq!(refusals, 60);
        }
        // Accounts that verify and that they have made up, until there is no room for more of theirs.
        let mut taken = 0;
        loop {
            world.move_to(stranger(100 + taken % 3));
            let made_up = Account::prepare(&full, None).await.ok().unwrap();
            let answer = heal(&given_back(&made_up.signup)).await;
            if !answer.status.is_success() {
                assert_eq!(answer.code(), ErrorCode::TooManyAttempts);
                break;
            }
            taken += 1;
        }
        assert_eq!(taken, 3 * 8 + 20);

        world.move_to(HOME);
        heal(&given_back(&account.signup)).await.ok::<AccountHealed>();
        account.sign_in(&world, &account.password).await.ok().unwrap();
        account.open_session(&world, &account.device).await.ok::<Session>();
    }
}

fn rates(per_address: u32, per_account: u32) -> RequestRates {
    RequestRates {
        per_address: NonZeroU32::new(per_address),
        per_account: NonZeroU32::new(per_account),
        ..RequestRates::UNLIMITED
    }
}

#[actix_web::test]
async fn a49_a_flood_without_sessions_takes_nothing_from_sessions_nor_from_other_addresses() {
    let world = World::limited(Backend::Memory, rates(60, 600)).await;
    world.move_to(HOME);
    let account = Account::sign_up(&world).await;
    let token = account.token(&world).await;
    // From the same address, with and without what looks like a session.
    let ask = async |path: &str, token: &str| world.get(path, token).await;
    let mut served = 0;
    while ask("/v1/info", "").await.status.is_success() {
        served += 1;
    }
    assert!((40..60).contains(&served), "{served}");
    for (path, token) in [("/v1/info", ""), ("/v1/account/log", "forged"), ("/v1/account/log", "a.b.c")] {
        let answer = ask(path, token).await;
        assert_eq!(
            (answer.code(), answer.retry_after),
            (ErrorCode::TooManyAttempts, Some(1)),
            "{path} {token}"
        );
    }
    for _ in 0..200 {
        assert!(ask("/v1/account/log", &token).await.status.is_success());
    }
    for path in ["/healthz", "/readyz"] {
        assert!(ask(path, "").await.status.is_success(), "{path}");
    }
    world.move_to(CAFE);
    assert!(ask("/v1/info", "").await.status.is_success());
    account.open_session(&world, &account.device).await.ok::<Session>();
    world.move_to(HOME);
    world.clock.advance_seconds(2);
    account.open_session(&world, &account.device).await.ok::<Session>();
}

#[actix_web::test]
async fn a49_one_accounts_devices_use_up_their_own_requests() {
    let world = World::limited(Backend::Memory, rates(600, 60)).await;
    let (account, other) = (Account::sign_up(&world).await, Account::sign_up(&world).await);
    let (token, others) = (account.token(&world).await, other.token(&world).await);
    let mut served = 0;
    let refused = loop {
        let answer = world.get("/v1/account/log", &token).await;
        if !answer.status.is_success() {
            break answer;
        }
        served += 1;
    };
    assert_eq!((served, refused.code(), refused.retry_after), (60, ErrorCode::TooManyAttempts, Some(1)));
    assert!(world.get("/v1/account/log", &others).await.status.is_success());
    // Sending a body is one request, too, though its session is judged twice.
    world.clock.advance_seconds(1);
    let bar = BarDevices { devices: vec![Device::new().id()], head: None, signature: None };
    assert!(world.post("/v1/account/bar", &token, &bar).await.retry_after.is_none());
    assert_eq!(world.get("/v1/account/log", &token).await.code(), ErrorCode::TooManyAttempts);
}
