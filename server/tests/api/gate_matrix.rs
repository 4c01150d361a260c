//! R-GATE: every route for every credential that is weaker than it wants, or somebody else's.

use std::collections::BTreeSet;

use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::Appended;
use lockstep_proto::api::recovery::RecoveryStart;
use lockstep_proto::api::session::{Challenge, ChallengeRequest, Session};
use lockstep_proto::api::signin::{SigninAnswer, SigninStart};
use lockstep_proto::bytes::to_base64url;
use lockstep_server::ROUTES;

use crate::support::{
    Account, Answer, Backend, Device, Route, Vault, Wants, World, guarded, item, open_routes, start_login,
};

/// What a caller has instead of the right session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    /// Nothing that the server takes for a session.
    Nothing,
    RevokedDevice,
    BarredDevice,
    Enrolment,
    Recovery,
    OtherAccount,
}

struct Scene {
    world: World,
    account: Account,
    token: String,
    vault: Vault,
    barred: Device,
    credentials: Vec<(&'static str, Has, String)>,
    /// What stands in this account's log, slots and items, and in no answer to anybody else.
    secrets: Vec<Vec<u8>>,
}

async fn scene(backend: Backend) -> Scene {
    let world = World::start(backend).await;
    let mut account = Account::sign_up(&world).await;
    let expired = account.token(&world).await;
    world.clock.advance_seconds(601);
    let token = account.token(&world).await;
    let mut vault = Vault::create(&world, &mut account, &token).await;
    vault.push(&world, &account, &token, &[item(500)]).await;
    account.pin(&vault);
    let lost = account.add_device(&world, &token).await;
    let revoked = account.open_session(&world, &lost).await.ok::<Session>().token;
    account.must_bar(&world, &token, &[lost.id()]).await;
    let rekey = account.rekey(&world, &token, b"new", &[lost.id()]).await;
    world.post("/v1/account/links", &token, &rekey).await.ok::<Appended>();
    let suspect = account.add_device(&world, &token).await;
    let barred = account.open_session(&world, &suspect).await.ok::<Session>().token;
    account.must_bar(&world, &token, &[suspect.id()]).await;

    let enrolment = account.sign_in(&world, b"new").await.ok().unwrap().enrolment_token;
    let recovery = account.open_recovery(&world, &account.recovery_key).await.ok().unwrap();
    let stranger = Account::sign_up(&world).await;
    let strangers = stranger.token(&world).await;
    let strangers_enrolment =
        stranger.sign_in(&world, &stranger.password).await.ok().unwrap().enrolment_token;
    let start = SigninStart { account_id: account.id, ke1: start_login(b"new").into() };
    let begun: SigninAnswer = world.post("/v1/signin/start", "", &start).await.ok();
    let start = RecoveryStart { account_id: account.id };
    let recovering: Challenge = world.post("/v1/recovery/challenge", "", &start).await.ok();
    let asked = ChallengeRequest { account_id: account.id, device_id: account.device.id() };
    let challenged: Challenge = world.post("/v1/session/challenge", "", &asked).await.ok();
    let credentials = vec![
        ("none", Has::Nothing, String::new()),
        ("garbage", Has::Nothing, "x".to_owned()),
        ("garbage with dots", Has::Nothing, "a.b.c".to_owned()),
        ("an expired token", Has::Nothing, expired),
        ("a sign-in after KE1", Has::Nothing, to_base64url(&begun.signin_id)),
        ("what KE1 was answered with", Has::Nothing, to_base64url(&begun.ke2)),
        ("a recovery's challenge", Has::Nothing, to_base64url(&recovering.nonce)),
        ("a session's challenge", Has::Nothing, to_base64url(&challenged.nonce)),
        ("a revoked device", Has::RevokedDevice, revoked),
        ("a barred device", Has::BarredDevice, barred),
        ("an enrolment session", Has::Enrolment, enrolment),
        ("a recovery session", Has::Recovery, recovery),
        ("another account's device", Has::OtherAccount, strangers),
        ("another account's enrolment session", Has::OtherAccount, strangers_enrolment),
    ];
    let secrets = vec![
        vec![7; 64],
        account.signup.genesis[100..140].to_vec(),
        rekey.links[0][200..240].to_vec(),
        rekey.slots[0][20..60].to_vec(),
    ];
    Scene { world, account, token, vault, barred: suspect, credentials, secrets }
}

/// Whether this caller gets through; else with which code it is refused, of which there may be several where the request
/// is a wrong one in more than one way.
fn refusal(has: Has, route: &Route) -> Option<&'static [ErrorCode]> {
    use ErrorCode::{
        AuthorRefused, BadRequest, DeviceBarred, DeviceRevoked, Forbidden, NoPairing, NoVault,
        Unauthenticated,
    };
    let of_pairing = route.name.1.starts_with("/v1/pairing");
    match (has, route.wants) {
        (_, Wants::Nothing) => None,
        (Has::Nothing, _) => Some(&[Unauthenticated]),
        (Has::RevokedDevice, _) => Some(&[DeviceRevoked]),
        (Has::BarredDevice, Wants::Any) => None,
        // A mailbox is no part of the account.
        (Has::BarredDevice, _) if of_pairing => None,
        // It stages what it likes: what a barred device wrote does not move into the vault.
        (Has::BarredDevice, _) if route.name.1.contains("/heal") || route.name.1.ends_with("/sides") => None,
        (Has::BarredDevice, _) => Some(&[DeviceBarred]),
        (Has::Enrolment | Has::Recovery, Wants::Any) => None,
        (Has::Recovery, Wants::Remover) => None,
        (Has::Enrolment | Has::Recovery, _) => Some(&[Forbidden, NoPairing]),
        (Has::OtherAccount, Wants::Any) if route.name.1.starts_with("/v1/vaults") => Some(&[NoVault]),
        (Has::OtherAccount, Wants::Any) => None,
        (Has::OtherAccount, _) if of_pairing => None,
        (Has::OtherAccount, _) => Some(&[AuthorRefused, Forbidden, BadRequest, NoVault]),
    }
}

impl Scene {
    fn assert_tells_nothing(&self, answer: &Answer, what: &str) {
        for secret in &self.secrets {
            let found = answer.bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "{what} was told something");
        }
    }

    /// The requests of whoever has this: a barred device sends its own, others the account's.
    fn routes(&mut self, has: Has) -> Vec<Route> {
        let mut swap = |account: &mut Account| std::mem::swap(&mut account.device, &mut self.barred);
        let mut other = self.account.device.id();
        if has == Has::BarredDevice {
            swap(&mut self.account);
        } else {
            other = self.barred.id();
        }
        let routes = guarded(self.world.server_id, &mut self.account, &self.vault, other);
        if has == Has::BarredDevice {
            std::mem::swap(&mut self.account.device, &mut self.barred);
        }
        routes
    }
}

#[actix_web::test]
async fn every_route_has_a_row() {
    let mut scene = scene(Backend::Memory).await;
    let rows: BTreeSet<_> =
        scene.routes(Has::Nothing).iter().chain(&open_routes()).map(|route| route.name).collect();
    assert_eq!(rows, ROUTES.iter().copied().collect::<BTreeSet<_>>());
}

#[actix_web::test]
async fn a29_whoever_has_less_than_a_route_wants_gets_one_refusal_and_changes_nothing() {
    for backend in Backend::ALL {
        let mut scene = scene(backend).await;
        for (name, has, token) in scene.credentials.clone() {
            let routes = scene.routes(has);
            let before = scene.world.state(&scene.account, &scene.vault).await;
            for route in &routes {
                let what = format!("{name} at {:?} on {backend:?}", route.name);
                let Some(codes) = refusal(has, route) else { continue };
                let answer = route.call_with(&scene.world, &token).await;
                assert!(codes.contains(&answer.code()), "{what}: {}", answer.code());
                assert!(answer.bytes.len() < 600, "{what}");
                scene.assert_tells_nothing(&answer, &what);
            }
            for route in open_routes() {
                let answer = route.call_with(&scene.world, &token).await;
                scene.assert_tells_nothing(&answer, name);
            }
            let after = scene.world.state(&scene.account, &scene.vault).await;
            assert!(after == before, "{name} changed something on {backend:?}");
        }
        for (name, has, token) in scene.credentials.clone() {
            for route in scene.routes(has).iter().filter(|route| route.wants == Wants::Any) {
                if refusal(has, route).is_some() {
                    continue;
                }
                let answer = route.call_with(&scene.world, &token).await;
                assert!(answer.status.is_success(), "{name} at {}", route.path);
                if has == Has::OtherAccount {
                    scene.assert_tells_nothing(&answer, name);
                }
            }
        }
        // The requests were good: with the right session each succeeds.
        for route in scene.routes(Has::Nothing) {
            let answer = route.call_with(&scene.world, &scene.token).await;
            assert!(answer.status.is_success(), "{}: {}", route.path, answer.problem().detail);
        }
    }
}
