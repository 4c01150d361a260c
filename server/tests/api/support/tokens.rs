//! Tokens that no server would give.

use ed25519_dalek::SigningKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use lockstep_domain::Clock as _;
use lockstep_proto::bytes::to_base64url;
use lockstep_proto::ids::{AccountId, DeviceId, ServerId};
use serde_json::{Value, json};

use super::account::random;
use super::{Account, Device, World};

/// PKCS#8 (RFC 8410) around an Ed25519 seed.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

fn ed25519(seed: &[u8; 32]) -> EncodingKey {
    EncodingKey::from_ed_der(&[&PKCS8[..], seed].concat())
}

fn signed(algorithm: Algorithm, claims: &Value, key: &EncodingKey) -> String {
    encode(&Header::new(algorithm), claims, key).unwrap()
}

fn unsigned(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| to_base64url(value.to_string().as_bytes());
    format!("{}.{}.{}", part(header), part(claims), to_base64url(signature))
}

/// Authorization headers that open nothing, by name. `good` is a token of the account's device.
pub(crate) fn forged(world: &World, account: &Account, good: &str) -> Vec<(&'static str, String)> {
    let now = world.clock.now_ms() / 1_000;
    let claims = json!({
        "aud": world.server_id.to_string(),
        "sub": account.id,
        "dev": account.device.id(),
        "iat": now,
        "exp": now + 600,
    });
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let own = |claims: &Value| signed(Algorithm::EdDSA, claims, &ed25519(&world.token_key));
    let public = SigningKey::from_bytes(&world.token_key).verifying_key().to_bytes();
    let hs256 = |secret: &[u8]| signed(Algorithm::HS256, &claims, &EncodingKey::from_secret(secret));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let swapped = to_base64url(with("sub", json!(AccountId([9; 32]))).to_string().as_bytes());
    let other_server = json!(ServerId(random()).to_string());
    let nobody: DeviceId = Device::new().id();
    let tokens = vec![
        ("garbage", "garbage".to_owned()),
        ("garbage with dots", "a.b.c".to_owned()),
        ("an enrolment token of nobody", to_base64url(&random::<32>())),
        ("not ASCII", "\u{1F511}.\u{1F511}.\u{1F511}".to_owned()),
        ("very long", "a".repeat(100_000)),
        ("expired", own(&with("exp", json!(now)))),
        ("expired long ago", own(&with("exp", json!(1)))),
        ("without an end", own(&without("exp"))),
        ("with an end that is text", own(&with("exp", json!("never")))),
        ("for another server", own(&with("aud", other_server))),
        ("for no server", own(&without("aud"))),
        ("of an account that is not there", own(&with("sub", json!(AccountId([9; 32]))))),
        ("of no account", own(&without("sub"))),
        ("of a device that is not the account's", own(&with("dev", json!(nobody)))),
        ("of no device", own(&without("dev"))),
        ("signed by another key", signed(Algorithm::EdDSA, &claims, &ed25519(&random()))),
        ("unsigned", unsigned(&json!({"alg": "none", "typ": "JWT"}), &claims, &[])),
        ("unsigned in capitals", unsigned(&json!({"alg": "NONE"}), &claims, &[])),
        ("unsigned under EdDSA", unsigned(&json!({"alg": "EdDSA"}), &claims, &[0; 64])),
        ("without an algorithm", unsigned(&json!({}), &claims, &[0; 64])),
        ("HMAC under the public key", hs256(&public)),
        ("HMAC under the secret key", hs256(&world.token_key)),
        ("without its signature", format!("{head}.")),
        ("with a signature of other claims", format!("{header}.{swapped}.{signature}")),
        ("twice", format!("{good}.{good}")),
        ("with a space", format!(" {good}")),
    ];
    let mut headers: Vec<_> =
        tokens.into_iter().map(|(name, token)| (name, format!("Bearer {token}"))).collect();
    headers.push(("empty", String::new()));
    headers.push(("a bearer of nothing", "Bearer ".to_owned()));
    headers.push(("another scheme", format!("Basic {good}")));
    headers.push(("without a scheme", good.to_owned()));
    headers
}
