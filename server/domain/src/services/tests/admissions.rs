//! Who may make an account, and who may give one back.

use lockstep_proto::api::signup::SignupStart;

use super::fixture::*;
use crate::secrets::ServerSecrets;
use crate::services::admissions::invite_hash;
use crate::services::{Admissions, FirstAccount, Restored, SignupRule, setup_token};
use crate::store::Admission;

/// Anybody can make up an account to give back, so this must never be a way around the rule of sign-ups.
#[test]
fn nobody_gives_an_account_back_who_could_not_sign_up() {
    use FirstAccount::{Anyone, SetupToken};
    for rule in [SignupRule::Open, SignupRule::Invite, SignupRule::Closed] {
        for first in [Anyone, SetupToken] {
            for restored in [Restored::No, Restored::Yes] {
                let admissions = Admissions { first, rule, restored };
                let expected = match (rule, first, restored) {
                    (_, _, Restored::Yes) | (SignupRule::Open, ..) => Some(Admission::Anyone),
                    (_, Anyone, Restored::No) => Some(Admission::FirstOnly),
                    (_, SetupToken, Restored::No) => None,
                };
                assert_eq!(admissions.healing(), expected, "{admissions:?}");
                let token = first == SetupToken && rule != SignupRule::Open;
                assert_eq!(admissions.needs_token(), token, "{admissions:?}");
            }
        }
    }
}

/// Every node and every start shows the same token, and it says nothing about the key that signs sessions.
#[test]
fn the_set_up_token_follows_from_the_secrets_alone() {
    let world = World::new();
    let secrets = ServerSecrets::make(&*world.ports.random);
    let kept = ServerSecrets::from_parts(
        secrets.server_id(),
        secrets.expose_opaque_setup().to_vec().into(),
        (*secrets.expose_token_key()).into(),
    )
    .unwrap();
    let token = setup_token(&secrets);
    assert_eq!((token.len(), setup_token(&kept)), (22, token.clone()));
    assert_ne!(token, setup_token(&ServerSecrets::make(&*world.ports.random)));
    let key = lockstep_proto::bytes::to_base64url(secrets.expose_token_key());
    assert!(!key.contains(&token) && invite_hash(&token) != invite_hash(&token.to_lowercase()));
}

#[test]
fn secrets_that_hold_no_opaque_set_up_are_refused_at_start() {
    let world = World::new();
    let secrets = ServerSecrets::make(&*world.ports.random);
    let setup = secrets.expose_opaque_setup();
    for damaged in [&setup[..setup.len() - 1], &[], &[setup, &[0]].concat()[..]] {
        let parts = (secrets.server_id(), damaged.to_vec().into(), [1; 32].into());
        assert!(ServerSecrets::from_parts(parts.0, parts.1, parts.2).is_err(), "{} bytes", damaged.len());
    }
}

/// An OPAQUE message that is none is refused before anything is counted or kept.
#[tokio::test]
async fn a_registration_that_is_no_point_of_the_group_is_refused() {
    let world = World::new();
    let account_id = TestAccount::new(&world, "ann", "phone").id();
    for request in [Vec::new(), vec![0; 32], vec![0xff; 32], vec![1; 33]] {
        let start = SignupStart { account_id, request: request.clone().into(), invite: None };
        assert!(world.services.signup.start(&start).await.is_err(), "{request:?}");
    }
}
