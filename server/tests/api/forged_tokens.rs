//! R-GATE for every route: whoever brings no valid session gets one and the same refusal, and changes nothing.

use lockstep_proto::api::ErrorCode;
use lockstep_proto::ids::DeviceId;

use crate::support::{Account, Answer, Backend, Route, Vault, Wants, World, forged, guarded, item};

const CANARY: &[u8] = &[7; 64];

struct Scene {
    world: World,
    account: Account,
    vault: Vault,
    token: String,
    other: DeviceId,
}

impl Scene {
    fn routes(&mut self) -> Vec<Route> {
        guarded(self.world.server_id, &mut self.account, &self.vault, self.other)
    }
}

async fn scene(backend: Backend) -> Scene {
    let world = World::start(backend).await;
    let mut account = Account::sign_up(&world).await;
    let token = account.token(&world).await;
    let mut vault = Vault::create(&world, &mut account, &token).await;
    vault.push(&world, &account, &token, &[item(500)]).await;
    let other = account.add_device(&world, &token).await.id();
    Scene { world, account, vault, token, other }
}

fn assert_nothing_told(answer: &Answer, what: &str) {
    assert!(answer.bytes.len() < 600, "{what}");
    assert!(!answer.bytes.windows(CANARY.len()).any(|window| window == CANARY), "{what}");
}

#[actix_web::test]
async fn every_route_refuses_every_forged_session_alike() {
    for backend in Backend::ALL {
        let mut scene = scene(backend).await;
        let routes = scene.routes();
        let Scene { world, account, vault, token, .. } = scene;
        let headers = forged(&world, &account, &token);
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
        let mut scene = scene(backend).await;
        let routes = scene.routes();
        let Scene { world, account, vault, token, .. } = scene;
        let enrolment = account.sign_in(&world, &account.password).await.ok().unwrap().enrolment_token;
        let before = world.state(&account, &vault).await;
        let reads = |route: &&Route| route.body.is_none() && route.wants == Wants::Any;
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
async fn a_session_of_another_account_changes_and_reads_nothing_of_this_one() {
    for backend in Backend::ALL {
        let mut scene = scene(backend).await;
        let routes = scene.routes();
        let Scene { world, account, vault, .. } = scene;
        let stranger = Account::sign_up(&world).await;
        let device = stranger.token(&world).await;
        let enrolment = stranger.sign_in(&world, &stranger.password).await.ok().unwrap().enrolment_token;
        let log = world.get("/v1/account/log", &device).await.bytes;
        let before = world.state(&account, &vault).await;
        for token in [&device, &enrolment] {
            for route in routes.iter().filter(|route| route.path.contains(&vault.id.to_string())) {
                let answer = route.call(&world, &format!("Bearer {token}")).await;
                let code = answer.code();
                match (route.wants, token == &device) {
                    (Wants::Device, true) => {
                        assert!([ErrorCode::AuthorRefused, ErrorCode::NoVault].contains(&code));
                    }
                    (Wants::Device, false) => assert_eq!(code, ErrorCode::Forbidden),
                    _ => assert_eq!(code, ErrorCode::NoVault, "{}", route.path),
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
