//! Input that no honest client sends: a problem with a code, and nothing written.

use actix_web::test::TestRequest;
use lockstep_proto::api::{CBOR, ErrorCode, REQUEST_LIMIT};
use lockstep_proto::ids::{ItemId, VaultId};

use crate::support::{Answer, Backend, World};

async fn post(world: &World, content_type: &str, body: Vec<u8>) -> Answer {
    let request = TestRequest::post().uri("/v1/signin/start").insert_header(("content-type", content_type));
    world.send(request.set_payload(body)).await
}

#[actix_web::test]
async fn bad_bodies_are_refused_before_they_are_understood() {
    let world = World::start(Backend::Memory).await;
    let deep_cbor = [vec![0x81; 5_000], vec![0]].concat();
    let huge_length = vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5b, 0x7f, 0xff, 0xff];
    for (content_type, body, code) in [
        (CBOR, deep_cbor, ErrorCode::BadRequest),
        (CBOR, huge_length, ErrorCode::BadRequest),
        (CBOR, vec![0xff, 0x00, 0x13], ErrorCode::BadRequest),
        (CBOR, b"\xa1\x6aaccount_id\x45short".to_vec(), ErrorCode::BadRequest),
        (CBOR, b"nonsense".to_vec(), ErrorCode::BadRequest),
        ("application/json", b"{}".to_vec(), ErrorCode::UnsupportedMediaType),
        (CBOR, Vec::new(), ErrorCode::BadRequest),
        (CBOR, vec![0; REQUEST_LIMIT + 1], ErrorCode::TooLarge),
        (CBOR, vec![0; (64 << 10) + 1], ErrorCode::TooLarge),
        ("text/plain", b"hello".to_vec(), ErrorCode::UnsupportedMediaType),
    ] {
        assert_eq!(post(&world, content_type, body).await.code(), code);
    }
}

#[actix_web::test]
async fn a_compressed_body_is_refused_unread() {
    let world = World::start(Backend::Memory).await;
    let request = TestRequest::post().uri("/v1/signin/start").insert_header(("content-type", CBOR));
    let request =
        request.insert_header(("content-encoding", "zstd")).set_payload(vec![0x28, 0xb5, 0x2f, 0xfd]);
    assert_eq!(world.send(request).await.code(), ErrorCode::UnsupportedMediaType);
}

#[actix_web::test]
async fn problems_come_in_one_format_whatever_is_asked_for() {
    let world = World::start(Backend::Memory).await;
    let cbor = post(&world, CBOR, vec![0xff]).await;
    let json = post(&world, "application/json", vec![0xff]).await;
    let asked = TestRequest::get().uri("/v1/account/log").insert_header(("accept", "application/json"));
    for answer in [cbor, json, world.send(asked).await] {
        assert_eq!(answer.content_type, "application/problem+cbor");
        answer.problem();
    }
}

#[actix_web::test]
async fn unknown_paths_and_methods_and_ids_have_codes() {
    let world = World::start(Backend::Memory).await;
    for (request, code) in [
        (TestRequest::get().uri("/nothing"), ErrorCode::NotFound),
        (TestRequest::get().uri("/v1/nothing"), ErrorCode::NotFound),
        (TestRequest::delete().uri("/v1/info"), ErrorCode::MethodNotAllowed),
        (TestRequest::get().uri("/v1/vaults/x/items"), ErrorCode::Unauthenticated),
    ] {
        assert_eq!(world.send(request).await.code(), code);
    }
    let account = crate::support::Account::sign_up(&world).await;
    let token = account.token(&world).await;
    assert_eq!(world.get("/v1/vaults/x/items", &token).await.code(), ErrorCode::NoVault);
    assert_eq!(world.get("/v1/vaults/x/control", &token).await.code(), ErrorCode::NoVault);
    let vault = format!("/v1/vaults/{}", VaultId([3; 32]));
    let item = format!("{vault}/items/{}/versions", ItemId::from_random([1; 16]));
    for query in [
        "/v1/account/log?after=minus",
        &format!("{vault}/control?after=-1"),
        &format!("{vault}/items/x/versions"),
        &format!("{item}?before=x"),
        &format!("{item}?limit=4294967296"),
        "/v1/account/log?after=0&before=9",
        &format!("{vault}/commits?After=0"),
        &format!("{vault}/control?after=0&after=1"),
        &format!("{vault}/items?upto=3&from="),
        &format!("{vault}/sides?x"),
        &format!("{item}?_=1"),
    ] {
        assert_eq!(world.get(query, &token).await.code(), ErrorCode::BadRequest, "{query}");
    }
}
