//! Sign-in and challenges: what a stranger learns, and how often anything works.

use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::session::{Challenge, ChallengeRequest, Session};
use lockstep_proto::api::signin::{EnrolmentSession, SigninAnswer, SigninFinish, SigninStart};
use lockstep_proto::ids::AccountId;

use crate::support::{Account, Answer, Backend, Device, Login, World, start_login};

const NOBODY: AccountId = AccountId([9; 32]);
/// The first part of `KE2`: the blinded evaluation, the same for the same question to the same account.
const EVALUATION: usize = 32;

async fn ask(world: &World, account_id: AccountId, ke1: &[u8]) -> Answer {
    let start = SigninStart { account_id, ke1: ke1.to_vec().into() };
    world.post("/v1/signin/start", "", &start).await
}

async fn finish(world: &World, signin_id: &[u8], ke3: &[u8]) -> Answer {
    let finish = SigninFinish { signin_id: signin_id.to_vec().into(), ke3: ke3.to_vec().into() };
    world.post("/v1/signin/finish", "", &finish).await
}

#[actix_web::test]
async fn an_account_that_is_not_there_answers_as_one_that_is() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let account = Account::sign_up(&world).await;
        let ke1 = start_login(b"guess");
        let mut evaluations = Vec::new();
        for account_id in [account.id, NOBODY, AccountId([8; 32])] {
            let (first, second) = (ask(&world, account_id, &ke1).await, ask(&world, account_id, &ke1).await);
            assert_eq!((first.bytes.len(), first.status), (second.bytes.len(), second.status));
            let (first, second): (SigninAnswer, SigninAnswer) = (first.ok(), second.ok());
            assert_eq!((first.ke2.len(), first.signin_id.len(), first.profile), (320, 16, second.profile));
            assert_eq!(first.ke2[..EVALUATION], second.ke2[..EVALUATION], "stable for whoever asks again");
            assert!(
                first.ke2[EVALUATION..] != second.ke2[EVALUATION..] && first.signin_id != second.signin_id
            );
            evaluations.push((first.ke2[..EVALUATION].to_vec(), first.profile));
        }
        assert!(evaluations.iter().all(|(_, profile)| *profile == evaluations[0].1));
        assert!(evaluations[0].0 != evaluations[1].0 && evaluations[1].0 != evaluations[2].0);
        for bad in [vec![], vec![0; 95], vec![0; 96], vec![0xff; 96], [&ke1[..], &[0]].concat()] {
            let (known, unknown) = (ask(&world, account.id, &bad).await, ask(&world, NOBODY, &bad).await);
            assert_eq!(known.code(), ErrorCode::BadFormat);
            assert_eq!(known.bytes, unknown.bytes);
        }
    }
}

#[actix_web::test]
async fn attempts_are_limited_per_account_whether_it_is_there_or_not() {
    let world = World::start(Backend::Memory).await;
    let account = Account::sign_up(&world).await;
    let mut limits = Vec::new();
    for account_id in [account.id, NOBODY] {
        let mut begun = 0;
        let problem = loop {
            let answer = ask(&world, account_id, &start_login(b"guess")).await;
            if !answer.status.is_success() {
                break answer.problem();
            }
            begun += 1;
        };
        assert_eq!(problem.code, ErrorCode::TooManyAttempts);
        limits.push((begun, problem.retry_after_seconds, problem.detail));
    }
    assert_eq!(limits[0], limits[1]);
    assert_eq!(limits[0].0, 20);
    // The right password must wait, too; others need not.
    let refused = account.sign_in(&world, &account.password).await.err().unwrap();
    assert_eq!(refused.code(), ErrorCode::TooManyAttempts);
    let other = Account::sign_up(&world).await;
    other.sign_in(&world, &other.password).await.ok().unwrap();
    let wait = u64::from(limits[0].1.unwrap());
    world.clock.advance_seconds(wait - 1);
    assert!(account.sign_in(&world, &account.password).await.is_err());
    world.clock.advance_seconds(1);
    account.sign_in(&world, &account.password).await.ok().unwrap();
    // Devices that have their keys are not kept out by strangers who guess.
    account.open_session(&world, &account.device).await.ok::<Session>();
}

#[actix_web::test]
async fn a_sign_in_ends_once_within_a_minute_and_only_with_its_own_proof() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let account = Account::sign_up(&world).await;
        let begin = async || {
            let (login, ke1) = Login::start(&account.password);
            let answer: SigninAnswer = ask(&world, account.id, &ke1).await.ok();
            let ke3 = login.finish(&account.password, &answer.ke2, &account.id, &world.server_id).unwrap();
            (answer.signin_id, ke3)
        };
        let (first, second) = (begin().await, begin().await);
        assert_eq!(finish(&world, &first.0, &second.1).await.code(), ErrorCode::SigninFailed);
        let used_up = finish(&world, &first.0, &first.1).await;
        assert_eq!(used_up.code(), ErrorCode::SigninFailed, "a wrong proof uses it up");
        let session: EnrolmentSession = finish(&world, &second.0, &second.1).await.ok();
        assert!(world.get("/v1/account/log", &session.enrolment_token).await.status.is_success());
        let again = finish(&world, &second.0, &second.1).await;
        let unknown = finish(&world, &[0; 16], &second.1).await;
        let odd = finish(&world, &[0; 7], &second.1).await;
        for answer in [&again, &unknown, &odd] {
            assert_eq!((answer.code(), &answer.bytes), (ErrorCode::SigninFailed, &used_up.bytes));
        }
        for (size, code) in
            [(63, ErrorCode::BadFormat), (64, ErrorCode::SigninFailed), (65, ErrorCode::BadFormat)]
        {
            let (signin_id, mut ke3) = begin().await;
            ke3[0] ^= u8::from(size == 64);
            ke3.resize(size, 0);
            assert_eq!(finish(&world, &signin_id, &ke3).await.code(), code, "{size} bytes");
        }
        let (in_time, late) = (begin().await, begin().await);
        world.clock.advance_seconds(59);
        assert!(finish(&world, &in_time.0, &in_time.1).await.status.is_success());
        world.clock.advance_seconds(1);
        assert_eq!(finish(&world, &late.0, &late.1).await.bytes, used_up.bytes);
    }
}

#[actix_web::test]
async fn a_challenge_fits_one_device_of_one_account_and_one_server() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let (account, other) = (Account::sign_up(&world).await, Account::sign_up(&world).await);
        let ask = async |account_id, device: &Device| {
            let asked = ChallengeRequest { account_id, device_id: device.id() };
            world.post("/v1/session/challenge", "", &asked).await
        };
        let nonce = async |account_id, device: &Device| ask(account_id, device).await.ok::<Challenge>().nonce;
        let stranger = Device::new();
        let known = ask(account.id, &account.device).await;
        for unknown in [ask(account.id, &stranger).await, ask(NOBODY, &stranger).await] {
            assert_eq!((unknown.status, unknown.bytes.len()), (known.status, known.bytes.len()));
        }
        let elsewhere = World::start(backend).await;
        let mine = nonce(account.id, &account.device).await;
        let theirs = nonce(other.id, &other.device).await;
        let crossed = nonce(account.id, &other.device).await;
        let unenrolled = nonce(account.id, &stranger).await;
        let mut short = account.proof(&world, &account.device, &mine);
        short.nonce.0.truncate(31);
        let mut failures = Vec::new();
        for (name, proof) in [
            ("a nonce of nobody", account.proof(&world, &account.device, &[5; 32])),
            ("a short nonce", short),
            ("another account's nonce", account.proof(&world, &account.device, &theirs)),
            ("another account's device", account.proof(&world, &other.device, &crossed)),
            ("a device that was not added", account.proof(&world, &stranger, &unenrolled)),
            ("signed for another server", account.proof(&elsewhere, &account.device, &mine)),
            ("used up by the failure", account.proof(&world, &account.device, &mine)),
        ] {
            let answer = world.post("/v1/session", "", &proof).await;
            assert_eq!(answer.code(), ErrorCode::ChallengeFailed, "{name}");
            failures.push(answer.bytes);
        }
        assert!(failures.iter().all(|bytes| *bytes == failures[0]), "which it was is not told");
        world
            .post("/v1/session", "", &{
                let nonce = nonce(account.id, &account.device).await;
                account.proof(&world, &account.device, &nonce)
            })
            .await
            .ok::<Session>();
    }
}
