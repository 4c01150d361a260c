//! R-GATE: who may read what.

use actix_web::test::TestRequest;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::items::BlobsRequest;
use lockstep_proto::api::vaults::CommitPage;

use crate::support::{Account, Backend, Vault, World, item};

const CANARY: &[u8] = &[7; 64];

#[actix_web::test]
async fn without_a_valid_session_nothing_of_a_vault_or_log_is_given() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        let secret = item(500);
        let history = format!("items/{}/versions", secret.0);
        vault.push(&world, &account, &token, &[secret]).await;
        let enrolment = account.sign_in(&world, &account.password).await.ok().unwrap().enrolment_token;
        let other = World::start(backend).await;
        let foreign = Account::sign_up(&other).await.token(&other).await;
        let mut forged = token.clone().into_bytes();
        let last = forged.len() - 10;
        forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        let paths = [
            "/v1/account/log",
            "/v1/account/slots",
            &vault.path("commits"),
            &vault.path("control"),
            &vault.path("items"),
            &vault.path(&history),
        ];

        for good in [&token, &enrolment] {
            for path in paths {
                assert!(world.get(path, good).await.status.is_success(), "{path}");
            }
        }
        for bad in ["", "x", "a.b.c", &foreign, &forged] {
            for path in paths {
                let answer = world.get(path, bad).await;
                assert_eq!(answer.code(), ErrorCode::Unauthenticated, "{path}");
                assert!(!answer.bytes.windows(64).any(|window| window == CANARY));
            }
            let blobs = world.post(&vault.path("blobs"), bad, &BlobsRequest { want: Vec::new() }).await;
            assert_eq!(blobs.code(), ErrorCode::Unauthenticated);
        }
        world.clock.advance_seconds(601);
        for ended in [&token, &enrolment] {
            for path in paths {
                assert_eq!(world.get(path, ended).await.code(), ErrorCode::Unauthenticated);
            }
        }
    }
}

#[actix_web::test]
async fn another_account_sees_no_trace_of_a_vault() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut owner = Account::sign_up(&world).await;
        let token = owner.token(&world).await;
        let mut vault = Vault::create(&world, &mut owner, &token).await;
        let secret = item(500);
        let history = format!("items/{}/versions", secret.0);
        vault.push(&world, &owner, &token, &[secret]).await;
        let stranger = Account::sign_up(&world).await;
        let stranger_token = stranger.token(&world).await;
        let missing = format!("/v1/vaults/{}/items", lockstep_proto::ids::VaultId([3; 32]));
        let none = world.get(&missing, &stranger_token).await;
        for what in ["items", "commits", "control", &history] {
            let path = vault.path(what);
            let answer = world.get(&path, &stranger_token).await;
            assert_eq!(answer.code(), ErrorCode::NoVault);
            assert_eq!(answer.bytes, none.bytes);
        }
        let (_, commit) = vault.write(&stranger, &[item(10)]);
        assert_eq!(
            world.post(&vault.path("commits"), &stranger_token, &commit).await.code(),
            ErrorCode::NoVault
        );
        let (_, stolen) = vault.write(&owner, &[item(10)]);
        let answer = world.post(&vault.path("commits"), &stranger_token, &stolen).await;
        assert_eq!(answer.code(), ErrorCode::AuthorRefused);
        let page: CommitPage = world.get(&vault.path("commits"), &token).await.ok();
        assert_eq!(page.head, vault.head);
    }
}

#[actix_web::test]
async fn an_enrolment_session_reads_but_does_not_write() {
    let world = World::start(Backend::Memory).await;
    let mut account = Account::sign_up(&world).await;
    let token = account.token(&world).await;
    let vault = Vault::create(&world, &mut account, &token).await;
    let enrolment = account.sign_in(&world, &account.password).await.ok().unwrap().enrolment_token;
    let (_, commit) = vault.write(&account, &[item(10)]);
    assert_eq!(world.post(&vault.path("commits"), &enrolment, &commit).await.code(), ErrorCode::Forbidden);
    let (_, create) = Vault::genesis(&account);
    assert_eq!(world.post("/v1/vaults", &enrolment, &create).await.code(), ErrorCode::Forbidden);
}

#[actix_web::test]
async fn health_is_public_and_says_nothing_else() {
    let world = World::start(Backend::Sqlite).await;
    for path in ["/healthz", "/readyz"] {
        let answer = world.send(TestRequest::get().uri(path)).await;
        assert!(answer.status.is_success() && answer.bytes.len() < 10);
    }
}
