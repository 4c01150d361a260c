//! The Recovery Key: what it opens, and what that may do.

use ed25519_dalek::SigningKey;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::{Appended, LogPage, RegistrationStart, Slots};
use lockstep_proto::api::items::ItemPage;
use lockstep_proto::api::recovery::{RecoverySession, RecoveryStart};
use lockstep_proto::api::session::{Challenge, Session};
use lockstep_proto::api::signup::RegistrationAnswer;
use lockstep_proto::ids::AccountId;

use crate::support::{Account, Backend, Device, Registration, Vault, World, item, random};

const LINKS: &str = "/v1/account/links";

async fn nonce(world: &World, account: &Account) -> Vec<u8> {
    let start = RecoveryStart { account_id: account.id };
    world.post("/v1/recovery/challenge", "", &start).await.ok::<Challenge>().nonce.0
}

#[actix_web::test]
async fn who_lost_every_device_comes_back_with_everything() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let lost_token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &lost_token).await;
        vault.push(&world, &account, &lost_token, &[item(70)]).await;
        let lost = account.device.id();

        let key = account.recovery_key.clone();
        let token = account.open_recovery(&world, &key).await.ok().unwrap();
        let log: LogPage = world.get("/v1/account/log", &token).await.ok();
        assert_eq!(log.head, account.head);
        assert_eq!(world.get("/v1/account/slots", &token).await.ok::<Slots>().slots.len(), 5);
        assert_eq!(world.get(&vault.path("items"), &token).await.ok::<ItemPage>().items.len(), 1);

        let before = (account.head, account.recovery_key.clone());
        let device = account.change_device(Device::new());
        let unbarred = account.recover(&world, &token, Device::new(), &[lost]).await;
        assert_eq!(world.post(LINKS, &token, &unbarred).await.code(), ErrorCode::NotBarred);
        (account.head, account.recovery_key) = before;
        account.must_bar(&world, &token, &[lost]).await;
        account.change_device(device);
        let (_, commit) = vault.write(&account, &[item(30)]);
        let refused = world.post(&vault.path("commits"), &lost_token, &commit).await;
        assert_eq!(refused.code(), ErrorCode::DeviceBarred);
        account.pin(&vault);
        let recover = account.recover(&world, &token, Device::new(), &[lost]).await;
        for _ in 0..2 {
            let appended: Appended = world.post(LINKS, &token, &recover).await.ok();
            assert_eq!(appended.head, account.head);
        }
        assert_eq!(world.get("/v1/account/log", &lost_token).await.code(), ErrorCode::DeviceRevoked);
        let own = account.open_session(&world, &account.device).await.ok::<Session>().token;
        vault.push(&world, &account, &own, &[item(30)]).await;

        // The session has done what it may do, and only reads.
        assert_eq!(world.get("/v1/account/log", &token).await.ok::<LogPage>().head, account.head);
        let again = account.recover(&world, &own, Device::new(), &[lost]).await;
        assert_eq!(world.post(LINKS, &token, &again).await.code(), ErrorCode::Forbidden);
        assert_eq!(account.bar(&world, &token, &[lost]).await.code(), ErrorCode::Forbidden);
        let registration = RegistrationStart { request: Registration::start(b"x").1.into() };
        let answer = world.post("/v1/account/registration", &token, &registration).await;
        assert_eq!(answer.code(), ErrorCode::Forbidden);
        // The sheet that was used is worth nothing any more.
        assert_eq!(
            account.open_recovery(&world, &key).await.err().unwrap().code(),
            ErrorCode::RecoveryFailed
        );
    }
}

#[actix_web::test]
async fn a_challenge_is_good_once_for_its_account_its_key_its_server_and_for_a_minute() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let (account, other) = (Account::sign_up(&world).await, Account::sign_up(&world).await);
        let elsewhere = World::start(Backend::Memory).await;
        let key = &account.recovery_key;
        let mut failures = Vec::new();
        let wrong = SigningKey::from_bytes(&random());
        let (mine, theirs, crossed, used) = (
            nonce(&world, &account).await,
            nonce(&world, &other).await,
            nonce(&world, &account).await,
            nonce(&world, &account).await,
        );
        world
            .post("/v1/recovery", "", &account.recovery_proof(&world, key, &used))
            .await
            .ok::<RecoverySession>();
        let late = nonce(&world, &account).await;
        let mut unknown = account.recovery_proof(&world, key, &nonce(&world, &account).await);
        unknown.account_id = AccountId([9; 32]);
        let mut short = account.recovery_proof(&world, key, &mine);
        short.nonce.0.truncate(31);
        let mut proofs = vec![
            ("a nonce of nobody", account.recovery_proof(&world, key, &[5; 32])),
            ("a short nonce", short),
            ("another account's nonce", account.recovery_proof(&world, key, &theirs)),
            ("another account's key", account.recovery_proof(&world, &other.recovery_key, &crossed)),
            (
                "the enrolment key",
                account.recovery_proof(&world, &account.enrolment_key, &nonce(&world, &account).await),
            ),
            ("a wrong key", account.recovery_proof(&world, &wrong, &nonce(&world, &account).await)),
            ("used before", account.recovery_proof(&world, key, &used)),
            ("another account", unknown),
            ("signed for another server", account.recovery_proof(&elsewhere, key, &mine)),
            ("used up by the failure", account.recovery_proof(&world, key, &mine)),
        ];
        proofs.push(("too late", account.recovery_proof(&world, key, &late)));
        for (name, proof) in proofs {
            if name == "too late" {
                world.clock.advance_seconds(60);
            }
            let answer = world.post("/v1/recovery", "", &proof).await;
            assert_eq!(answer.code(), ErrorCode::RecoveryFailed, "{name}");
            failures.push(answer.bytes);
        }
        assert!(failures.iter().all(|bytes| *bytes == failures[0]), "which it was is not told");
    }
}

#[actix_web::test]
async fn attempts_are_limited_per_account_whether_it_is_there_or_not() {
    let world = World::start(Backend::Memory).await;
    let account = Account::sign_up(&world).await;
    for _ in 0..30 {
        account.open_recovery(&world, &account.recovery_key).await.ok().unwrap();
    }
    let mut limits = Vec::new();
    for account_id in [account.id, AccountId([9; 32])] {
        let mut begun = 0;
        let problem = loop {
            let answer = world.post("/v1/recovery/challenge", "", &RecoveryStart { account_id }).await;
            if !answer.status.is_success() {
                break answer.problem();
            }
            assert_eq!(answer.ok::<Challenge>().nonce.len(), 32);
            begun += 1;
        };
        assert_eq!(problem.code, ErrorCode::TooManyAttempts);
        limits.push((begun, problem.retry_after_seconds, problem.detail));
    }
    assert_eq!((limits[0].0, &limits[0]), (20, &limits[1]));
    // Who has the password is not kept out by strangers who guess at the sheet.
    account.sign_in(&world, &account.password).await.ok().unwrap();
    world.clock.advance_seconds(u64::from(limits[0].1.unwrap()));
    account.open_recovery(&world, &account.recovery_key).await.ok().unwrap();
}

#[actix_web::test]
async fn a_recovery_session_writes_nothing_but_one_recover_link() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let own = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &own).await;
        vault.push(&world, &account, &own, &[item(70)]).await;
        account.pin(&vault);
        let token = account.open_recovery(&world, &account.recovery_key).await.ok().unwrap();
        let before = world.state(&account, &vault).await;
        let (_, commit) = vault.write(&account, &[item(10)]);
        let (_, create) = Vault::genesis(&account);
        let head = account.head;
        let add = account.add_by_kit(&Device::new());
        account.head = head;
        let password = account.new_password(&world, &token, b"new").await;
        account.head = head;
        let (esk, rk) = (account.enrolment_key.clone(), account.recovery_key.clone());
        let rekey = account.rekey(&world, &token, b"new", &[]).await;
        account.head = head;
        let device = account.change_device(Device::new());
        let mut two = account.recover(&world, &token, Device::new(), &[]).await;
        let second = account.recover(&world, &token, Device::new(), &[]).await;
        account.change_device(device);
        two.links.extend(second.links);
        (account.head, account.enrolment_key, account.recovery_key) = (head, esk, rk);
        for links in [add, password, rekey, two] {
            assert_eq!(world.post(LINKS, &token, &links).await.code(), ErrorCode::Forbidden);
        }
        let commit = world.post(&vault.path("commits"), &token, &commit).await;
        assert_eq!(commit.code(), ErrorCode::Forbidden);
        assert_eq!(world.post("/v1/vaults", &token, &create).await.code(), ErrorCode::Forbidden);
        assert_eq!(world.state(&account, &vault).await, before);

        // A sheet's session ends with the sheet, and after five minutes.
        let change = account.change_recovery();
        world.post(LINKS, &own, &change).await.ok::<Appended>();
        assert_eq!(world.get("/v1/account/log", &token).await.code(), ErrorCode::Unauthenticated);
        let token = account.open_recovery(&world, &account.recovery_key).await.ok().unwrap();
        world.clock.advance_seconds(299);
        assert!(world.get("/v1/account/log", &token).await.status.is_success());
        world.clock.advance_seconds(1);
        assert_eq!(world.get("/v1/account/log", &token).await.code(), ErrorCode::Unauthenticated);
    }
}

#[actix_web::test]
async fn a_recovery_session_may_set_a_new_password() {
    let world = World::start(Backend::Memory).await;
    let account = Account::sign_up(&world).await;
    let token = account.open_recovery(&world, &account.recovery_key).await.ok().unwrap();
    let request = RegistrationStart { request: Registration::start(b"x").1.into() };
    world.post("/v1/account/registration", &token, &request).await.ok::<RegistrationAnswer>();
}
