//! Hostile bodies on every route that takes one: a problem with the right code, and nothing written.

use lockstep_proto::api::account::{AppendLinks, RegistrationStart};
use lockstep_proto::api::items::{BlobsRequest, ItemVersion};
use lockstep_proto::api::session::ChallengeRequest;
use lockstep_proto::api::signin::{SigninFinish, SigninStart};
use lockstep_proto::api::signup::SignupStart;
use lockstep_proto::api::{CBOR, ErrorCode, REQUEST_LIMIT, SLOTS_PER_REQUEST, WANTED_LIMIT};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{AccountId, Version};
use lockstep_proto::log::{DeviceAdd, Enrolment, LinkBody, Signer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::support::{Account, Backend, Device, Registration, Vault, World, item, start_login};

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
    vault.push(&world, &account, &token, &[item(100)]).await;
    Scene { world, account, vault, token }
}

/// A request as it should be.
struct Good {
    path: String,
    cbor: Vec<u8>,
    /// The same in JSON, which nobody takes.
    json: Vec<u8>,
    /// Whether this CBOR says the same, if in other words: CBOR has several for one text.
    says_the_same: Box<Check>,
}

type Check = dyn Fn(&[u8]) -> bool;

fn good<T>(path: impl Into<String>, body: &T) -> Good
where
    T: Serialize + DeserializeOwned + PartialEq + Clone + 'static,
{
    let mut cbor = Vec::new();
    ciborium::into_writer(body, &mut cbor).unwrap();
    let same = body.clone();
    Good {
        path: path.into(),
        cbor,
        json: serde_json::to_vec(body).unwrap(),
        says_the_same: Box::new(move |bytes| {
            ciborium::from_reader::<T, _>(bytes).is_ok_and(|read| read == same)
        }),
    }
}

fn pairing(account: &mut Account) -> AppendLinks {
    let body = LinkBody::DeviceAdd(DeviceAdd { keys: Device::new().keys, how: Enrolment::Pairing });
    let key = account.device.key.clone();
    let link = account.link(Signer::Device(account.device.id()), &key, body);
    AppendLinks { links: vec![link], slots: Vec::new(), record: None }
}

/// A good request for every route that takes a body.
async fn all_routes(scene: &mut Scene) -> Vec<Good> {
    let Scene { world, account, vault, .. } = scene;
    let guest = Account::prepare(world, None).await.ok().unwrap();
    let request = Bytes(Registration::start(b"x").1);
    let start = SignupStart { account_id: guest.id, request: request.clone(), invite: None };
    let (account_id, device_id) = (account.id, account.device.id());
    let want = vec![ItemVersion { item_id: item(1).0, version: Version(1) }];
    let finish = SigninFinish { signin_id: vec![1; 16].into(), ke3: vec![2; 64].into() };
    let proof = account.proof(world, &account.device, &[3; 32]);
    vec![
        good("/v1/signup/start", &start),
        good("/v1/signup/finish", &guest.signup),
        good("/v1/signin/start", &SigninStart { account_id, ke1: start_login(b"x").into() }),
        good("/v1/signin/finish", &finish),
        good("/v1/session/challenge", &ChallengeRequest { account_id, device_id }),
        good("/v1/session", &proof),
        good("/v1/account/registration", &RegistrationStart { request }),
        good("/v1/vaults", &Vault::genesis(account).1),
        good(vault.path("commits"), &vault.write(account, &[item(50)]).1),
        good(vault.path("blobs"), &BlobsRequest { want }),
        good("/v1/account/links", &pairing(account)),
    ]
}

/// What a body can be instead, with its content type and the code that answers it.
fn spoiled(good: &Good) -> Vec<(&'static str, &'static str, Vec<u8>, ErrorCode)> {
    let bad = ErrorCode::BadRequest;
    let wrong_type = ErrorCode::UnsupportedMediaType;
    let nested = |open: u8, close: &[u8], depth| [vec![open; depth], close.repeat(depth)].concat();
    let cut = |bytes: &[u8], part: usize| bytes[..bytes.len() * part / 8].to_vec();
    let mut bodies = vec![
        ("cbor and one byte more", CBOR, [&good.cbor[..], &[0]].concat(), bad),
        ("cbor without its last byte", CBOR, good.cbor[..good.cbor.len() - 1].to_vec(), bad),
        ("json", "application/json", good.json.clone(), wrong_type),
        ("json called cbor", CBOR, good.json.clone(), bad),
        ("cbor called json", "application/json", good.cbor.clone(), wrong_type),
        ("deep cbor", CBOR, nested(0x81, &[], 30_000), bad),
        ("deep cbor of unknown length", CBOR, nested(0x9f, &[0xff], 30_000), bad),
        ("deep cbor tags", CBOR, [vec![0xc1; 30_000], vec![0]].concat(), bad),
        ("a map without end", CBOR, vec![0xbf], bad),
        ("a map of 2^64 - 1", CBOR, [&[0xbb][..], &[0xff; 8]].concat(), bad),
        ("a byte string of 2^63", CBOR, vec![0x5b, 0x80, 0, 0, 0, 0, 0, 0, 0], bad),
        ("a break alone", CBOR, vec![0xff], bad),
        ("the right map, empty", CBOR, vec![0xa0], bad),
        ("an array of nothing", CBOR, vec![0x80], bad),
        ("null", CBOR, vec![0xf6], bad),
        ("too large", CBOR, vec![0xa0; REQUEST_LIMIT + 1], ErrorCode::TooLarge),
        ("no known type", "text/plain", good.json.clone(), wrong_type),
        ("a form", "application/x-www-form-urlencoded", b"a=b".to_vec(), wrong_type),
        ("an empty type", "", good.cbor.clone(), wrong_type),
        (
            "a type that a page may send, and ours",
            "text/plain;application/cbor",
            good.cbor.clone(),
            wrong_type,
        ),
        ("two types", "application/cbor, text/plain", good.cbor.clone(), wrong_type),
        ("the type with more", "application/cbor; charset=utf-8", good.cbor.clone(), wrong_type),
        ("nearly the type", "application/cborx", good.cbor.clone(), wrong_type),
    ];
    bodies.extend((0..8).map(|part| ("cut cbor", CBOR, cut(&good.cbor, part), bad)));
    bodies
}

#[actix_web::test]
async fn every_route_refuses_every_spoiled_body_and_stays_as_it_was() {
    for backend in Backend::ALL {
        let mut scene = scene(backend).await;
        let routes = all_routes(&mut scene).await;
        let Scene { world, account, vault, token } = &scene;
        let before = world.state(account, vault).await;
        for route in &routes {
            for (name, content_type, body, code) in spoiled(route) {
                let answer = world.post_bytes(&route.path, token, content_type, body).await;
                assert_eq!(answer.code(), code, "{} {name}", route.path);
            }
        }
        assert!(world.state(account, vault).await == before);
        // The good request does not fail for its form.
        for route in &routes {
            let answer = world.post_bytes(&route.path, token, CBOR, route.cbor.clone()).await;
            let code = if answer.status.is_success() { None } else { Some(answer.code()) };
            let proofs = [ErrorCode::SigninFailed, ErrorCode::ChallengeFailed, ErrorCode::AccountExists];
            assert!(code.is_none_or(|code| proofs.contains(&code)), "{} {code:?}", route.path);
        }
    }
}

#[actix_web::test]
async fn no_change_of_one_bit_is_accepted_in_what_is_signed_or_named_by_a_hash() {
    let mut scene = scene(Backend::Memory).await;
    let routes = all_routes(&mut scene).await;
    let Scene { world, account, vault, token } = &scene;
    let before = world.state(account, vault).await;
    let signed = ["/v1/signup/finish", "/v1/vaults", &vault.path("commits"), "/v1/account/links"];
    for route in routes.iter().filter(|route| signed.contains(&route.path.as_str())) {
        for index in 0..route.cbor.len() {
            let mut body = route.cbor.clone();
            body[index] ^= 1 << (index % 8);
            if (route.says_the_same)(&body) {
                continue;
            }
            let answer = world.post_bytes(&route.path, token, CBOR, body).await;
            assert!(answer.status.is_client_error(), "{} byte {index}: {}", route.path, answer.status);
            answer.problem();
        }
    }
    assert!(world.state(account, vault).await == before);
}

/// `wire` with another byte at this distance after the label.
fn patched(wire: &Bytes, label: &str, distance: usize, value: u8) -> Bytes {
    let start = wire.windows(label.len()).position(|window| window == label.as_bytes()).unwrap();
    let mut wire = wire.clone();
    wire.0[start + label.len() + distance] = value;
    wire
}

/// Where the suite and the kind stand after a label: suite, an id, a position, a hash, kind.
const SUITE: usize = 0;
const KIND: usize = 1 + 32 + 8 + 32;

#[actix_web::test]
async fn suites_and_kinds_that_are_not_known_need_an_update() {
    for backend in Backend::ALL {
        let mut scene = scene(backend).await;
        let Scene { world, account, vault, token } = &mut scene;
        let guest = Account::prepare(world, None).await.ok().unwrap();
        let (_, create) = Vault::genesis(account);
        let (_, commit) = vault.write(account, &[item(50)]);
        let links = pairing(account);
        let before = world.state(account, vault).await;
        for (distance, value) in [(SUITE, 0), (SUITE, 2), (SUITE, 255), (KIND, 0), (KIND, 99), (KIND, 255)] {
            let mut changed = guest.signup.clone();
            changed.auth_update = patched(&changed.auth_update, "account-link", distance, value);
            let answer = world.post("/v1/signup/finish", "", &changed).await;
            assert_eq!(answer.code(), ErrorCode::UpdateNeeded, "sign-up {distance} {value}");
            let mut changed = create.clone();
            changed.commit = patched(&changed.commit, "vault-commit", distance, value);
            let answer = world.post("/v1/vaults", token, &changed).await;
            assert_eq!(answer.code(), ErrorCode::UpdateNeeded, "vault {distance} {value}");
            let mut changed = commit.clone();
            changed.commit = patched(&changed.commit, "vault-commit", distance, value);
            let answer = world.post(&vault.path("commits"), token, &changed).await;
            assert_eq!(answer.code(), ErrorCode::UpdateNeeded, "commit {distance} {value}");
            let mut changed = links.clone();
            changed.links[0] = patched(&changed.links[0], "account-link", distance, value);
            let answer = world.post("/v1/account/links", token, &changed).await;
            assert_eq!(answer.code(), ErrorCode::UpdateNeeded, "link {distance} {value}");
        }
        assert!(world.state(account, vault).await == before);
    }
}

#[actix_web::test]
async fn structures_in_the_wrong_place_are_refused() {
    for backend in Backend::ALL {
        let mut scene = scene(backend).await;
        let Scene { world, account, vault, token } = &mut scene;
        let (other, create) = Vault::genesis(account);
        let (_, commit) = vault.write(account, &[item(50)]);
        let links = pairing(account);
        let before = world.state(account, vault).await;
        let append = |links: Vec<Bytes>| AppendLinks { links, slots: Vec::new(), record: None };
        for (name, request, codes) in [
            ("none", append(Vec::new()), &[ErrorCode::BadRequest][..]),
            ("a commit", append(vec![commit.commit.clone()]), &[ErrorCode::BadFormat]),
            (
                "the genesis alone",
                append(vec![account.signup.auth_update.clone(), links.links[0].clone()]),
                &[ErrorCode::HeadMoved, ErrorCode::LinkRefused],
            ),
            ("one twice", append(vec![links.links[0].clone(); 2]), &[ErrorCode::HeadMoved]),
        ] {
            let code = world.post("/v1/account/links", token, &request).await.code();
            assert!(codes.contains(&code), "{name}: {code}");
        }
        let crowded = AppendLinks {
            slots: (0..=SLOTS_PER_REQUEST as u32).map(|slot| slot.to_be_bytes().to_vec().into()).collect(),
            ..links.clone()
        };
        assert_eq!(world.post("/v1/account/links", token, &crowded).await.code(), ErrorCode::BadRequest);
        let mut swapped = create.clone();
        swapped.body = commit.body.clone();
        assert_eq!(world.post("/v1/vaults", token, &swapped).await.code(), ErrorCode::BadFormat);
        let genesis = lockstep_proto::api::vaults::CreateVault {
            commit: commit.commit.clone(),
            body: commit.body.clone(),
        };
        assert_eq!(world.post("/v1/vaults", token, &genesis).await.code(), ErrorCode::CommitRefused);
        let nowhere = world.post(&other.path("commits"), token, &commit).await;
        assert_eq!(nowhere.code(), ErrorCode::NoVault);
        let want = vec![ItemVersion { item_id: item(1).0, version: Version(1) }; WANTED_LIMIT + 1];
        let answer = world.post(&vault.path("blobs"), token, &BlobsRequest { want }).await;
        assert_eq!(answer.code(), ErrorCode::TooLarge);
        let unknown = SigninStart { account_id: AccountId([4; 32]), ke1: vec![0; 96].into() };
        assert_eq!(world.post("/v1/signin/start", "", &unknown).await.code(), ErrorCode::BadFormat);
        assert!(world.state(account, vault).await == before);
    }
}
