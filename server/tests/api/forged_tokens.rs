//! R-GATE for every route: whoever brings no valid session gets one and the same refusal, and changes nothing.

use actix_web::test::TestRequest;
use lockstep_proto::api::CBOR;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::{AppendLinks, RegistrationStart};
use lockstep_proto::api::items::{BlobsRequest, ItemVersion};
use lockstep_proto::ids::Version;
use lockstep_proto::log::{DeviceAdd, Enrolment, LinkBody, Signer};
use serde::Serialize;

use crate::support::{Account, Answer, Backend, Device, Registration, Vault, World, forged, item};

const CANARY: &[u8] = &[7; 64];

/// Which session a route wants.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    Any,
    Device,
}

struct Route {
    path: String,
    body: Option<Vec<u8>>,
    wants: Wants,
}

impl Route {
    async fn call(&self, world: &World, authorization: &str) -> Answer {
        let request = match &self.body {
            None => TestRequest::get(),
            Some(body) => TestRequest::post().set_payload(body.clone()),
        };
        let request = request.uri(&self.path).insert_header(("content-type", CBOR));
        world.send(request.insert_header(("authorization", authorization))).await
    }
}

fn get(path: impl Into<String>) -> Route {
    Route { path: path.into(), body: None, wants: Wants::Any }
}

fn post<T: Serialize>(path: impl Into<String>, wants: Wants, body: &T) -> Route {
    let mut bytes = Vec::new();
    ciborium::into_writer(body, &mut bytes).unwrap();
    Route { path: path.into(), body: Some(bytes), wants }
}

/// Every route that needs a session, each with a request that the right one succeeds with, in this order.
fn routes(account: &mut Account, vault: &Vault) -> Vec<Route> {
    let (item_id, _) = vault.leaves.iter().next().unwrap();
    let want = vec![ItemVersion { item_id: *item_id, version: Version(1) }];
    let (_, commit) = vault.write(account, &[item(100)]);
    let (_, create) = Vault::genesis(account);
    let (_, request) = Registration::start(b"new password");
    let body = LinkBody::DeviceAdd(DeviceAdd { keys: Device::new().keys, how: Enrolment::Pairing });
    let key = account.device.key.clone();
    let link = account.link(Signer::Device(account.device.id()), &key, body);
    let links = AppendLinks { links: vec![link], slots: Vec::new(), record: None };
    vec![
        get("/v1/account/log"),
        get("/v1/account/log?after=0"),
        get("/v1/account/slots"),
        get(vault.path("commits")),
        get(format!("{}?after=0&limit=1", vault.path("commits"))),
        get(vault.path("items")),
        get(format!("{}?after_seq=0", vault.path("items"))),
        post(vault.path("blobs"), Wants::Any, &BlobsRequest { want }),
        post("/v1/account/registration", Wants::Any, &RegistrationStart { request: request.into() }),
        post("/v1/vaults", Wants::Device, &create),
        post(vault.path("commits"), Wants::Device, &commit),
        post("/v1/account/links", Wants::Device, &links),
    ]
}

struct Scene {
    world: World,
    account: Account,
    vault: Vault,
    token: String,
}

async fn scene(backend: Backend) -> Scene {
    let world = World::start(backend).await;
    let mut account = Account::sign_up(&world).await;
    let token = account.token(&world).await;
    let mut vault = Vault::create(&world, &mut account, &token).await;
    vault.push(&world, &account, &token, &[item(500)]).await;
    Scene { world, account, vault, token }
}

fn assert_nothing_told(answer: &Answer, what: &str) {
    assert!(answer.bytes.len() < 600, "{what}");
    assert!(!answer.bytes.windows(CANARY.len()).any(|window| window == CANARY), "{what}");
}

#[actix_web::test]
async fn every_route_refuses_every_forged_session_alike() {
    for backend in Backend::ALL {
        let Scene { world, mut account, vault, token } = scene(backend).await;
        let headers = forged(&world, &account, &token);
        let routes = routes(&mut account, &vault);
        let before = world.state(&account, &vault).await;
        for route in &routes {
            let expected = route.call(&world, "").await.bytes;
            for (name, header) in &headers {
                let answer = route.call(&world, header).await;
                assert_eq!(answer.code(), ErrorCode::Unauthenticated, "{} {name}", route.path);
                assert_eq!(answer.bytes, expected, "{} {name}", route.path);
                assert_nothing_told(&answer, name);
            }
        }
        assert!(world.state(&account, &vault).await == before, "a refusal wrote something");
        // The requests were good: with the right session each succeeds.
        for route in &routes {
            let answer = route.call(&world, &format!("Bearer {token}")).await;
            assert!(answer.status.is_success(), "{}: {}", route.path, answer.problem().detail);
        }
        assert!(world.state(&account, &vault).await != before);
    }
}

#[actix_web::test]
async fn sessions_end_for_every_route_at_their_second() {
    for backend in Backend::ALL {
        let Scene { world, mut account, vault, token } = scene(backend).await;
        let routes = routes(&mut account, &vault);
        let enrolment = account.sign_in(&world, &account.password).await.ok().unwrap().enrolment_token;
        let before = world.state(&account, &vault).await;
        let reads = |route: &&Route| route.body.is_none();
        world.clock.advance_seconds(5 * 60 - 1);
        for route in routes.iter().filter(reads) {
            assert!(route.call(&world, &format!("Bearer {enrolment}")).await.status.is_success());
        }
        world.clock.advance_seconds(1);
        for route in &routes {
            let answer = route.call(&world, &format!("Bearer {enrolment}")).await;
            assert_eq!(answer.code(), ErrorCode::Unauthenticated, "{}", route.path);
        }
        world.clock.advance_seconds(5 * 60 - 1);
        for route in routes.iter().filter(reads) {
            assert!(route.call(&world, &format!("Bearer {token}")).await.status.is_success());
        }
        world.clock.advance_seconds(1);
        for route in &routes {
            let answer = route.call(&world, &format!("Bearer {token}")).await;
            assert_eq!(answer.code(), ErrorCode::Unauthenticated, "{}", route.path);
            assert_nothing_told(&answer, &route.path);
        }
        assert!(world.state(&account, &vault).await == before);
    }
}

#[actix_web::test]
async fn an_enrolment_session_is_forbidden_wherever_a_device_is_needed() {
    for backend in Backend::ALL {
        let Scene { world, mut account, vault, .. } = scene(backend).await;
        let enrolment = account.sign_in(&world, &account.password).await.ok().unwrap().enrolment_token;
        let routes = routes(&mut account, &vault);
        let before = world.state(&account, &vault).await;
        let device_routes = routes.iter().filter(|route| route.wants == Wants::Device);
        for route in device_routes.filter(|route| route.path != "/v1/account/links") {
            let answer = route.call(&world, &format!("Bearer {enrolment}")).await;
            assert_eq!(answer.code(), ErrorCode::Forbidden, "{}", route.path);
            assert_nothing_told(&answer, &route.path);
        }
        assert!(world.state(&account, &vault).await == before);
    }
}

#[actix_web::test]
async fn a_session_of_another_account_changes_and_reads_nothing_of_this_one() {
    for backend in Backend::ALL {
        let Scene { world, mut account, vault, .. } = scene(backend).await;
        let stranger = Account::sign_up(&world).await;
        let device = stranger.token(&world).await;
        let enrolment = stranger.sign_in(&world, &stranger.password).await.ok().unwrap().enrolment_token;
        let log = world.get("/v1/account/log", &device).await.bytes;
        let routes = routes(&mut account, &vault);
        let before = world.state(&account, &vault).await;
        for token in [&device, &enrolment] {
            for route in routes.iter().filter(|route| route.path.contains(&vault.id.to_string())) {
                let answer = route.call(&world, &format!("Bearer {token}")).await;
                let code = answer.code();
                match (route.wants, token == &device) {
                    (Wants::Any, _) => assert_eq!(code, ErrorCode::NoVault, "{}", route.path),
                    (Wants::Device, true) => assert_eq!(code, ErrorCode::AuthorRefused),
                    (Wants::Device, false) => assert_eq!(code, ErrorCode::Forbidden),
                }
                assert_nothing_told(&answer, &route.path);
            }
            for path in ["/v1/vaults", "/v1/account/links"] {
                let route = routes.iter().find(|route| route.path == path).unwrap();
                assert!(route.call(&world, &format!("Bearer {token}")).await.status.is_client_error());
            }
        }
        assert!(world.state(&account, &vault).await == before);
        assert_eq!(world.get("/v1/account/log", &device).await.bytes, log);
    }
}
