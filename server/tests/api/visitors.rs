//! Who may speak to the server: not a page in a browser, whatever name or origin it comes under.

use std::num::NonZeroU32;

use actix_web::test::TestRequest;
use lockstep_domain::limits::RequestRates;
use lockstep_proto::api::session::ChallengeRequest;
use lockstep_proto::api::{CBOR, ErrorCode};
use lockstep_proto::ids::{AccountId, DeviceId};
use lockstep_server::Front;

use crate::support::{Answer, Backend, World};

async fn world() -> World {
    let hosts = "vault.example.org, lockstep.lan".parse().unwrap();
    World::behind(Backend::Memory, Front { hosts, ..Front::default() }).await
}

/// Asks for a challenge, which needs no session, with these headers.
async fn ask(world: &World, headers: &[(&str, &[u8])]) -> Answer {
    let mut body = Vec::new();
    let asked = ChallengeRequest { account_id: AccountId([1; 32]), device_id: DeviceId([2; 16]) };
    ciborium::into_writer(&asked, &mut body).unwrap();
    let mut request = TestRequest::post().uri("/v1/session/challenge");
    for (name, value) in [("content-type", CBOR.as_bytes())].iter().chain(headers) {
        request = request.append_header((*name, *value));
    }
    world.send(request.set_payload(body)).await
}

fn refusals(world: &World, limit: &str) -> u64 {
    world.app.limit_counts().find(|(name, _)| *name == limit).unwrap().1
}

#[actix_web::test]
async fn a51_a_name_that_is_led_to_this_server_is_not_served() {
    let world = world().await;
    for host in ["vault.example.org", "lockstep.lan:7390", "127.0.0.1:7390", "[::1]:7390", "localhost:7390"] {
        assert!(ask(&world, &[("host", host.as_bytes())]).await.status.is_success(), "{host}");
    }
    assert!(ask(&world, &[]).await.status.is_success());
    let foreign: [&[(&str, &[u8])]; 6] = [
        &[("host", b"evil.example:7390")],
        &[("host", b"vault.example.org.evil.example")],
        &[("host", b"")],
        &[("host", b"\xff")],
        // One for whoever looks at the first, one for whoever looks at the last.
        &[("host", b"vault.example.org"), ("host", b"evil.example")],
        &[("host", b"vault.example.org"), ("host", b"vault.example.org")],
    ];
    for headers in foreign {
        let answer = ask(&world, headers).await;
        assert_eq!(answer.code(), ErrorCode::ForeignHost, "{headers:?}");
        assert_eq!(answer.status, 421);
    }
    assert_eq!(refusals(&world, "foreign-host"), 6);
    // A name in the target counts, whatever stands in the header.
    let target = TestRequest::get().uri("http://evil.example/v1/info");
    let answer = world.send(target.insert_header(("host", "vault.example.org"))).await;
    assert_eq!(answer.code(), ErrorCode::ForeignHost);
    let target = TestRequest::get().uri("http://vault.example.org:7390/v1/info");
    assert!(world.send(target).await.status.is_success());
}

#[actix_web::test]
async fn a51_a_page_is_refused_and_an_extension_is_not() {
    let world = world().await;
    for origin in [
        "https://evil.example",
        "http://127.0.0.1:7390",
        "http://vault.example.org",
        "null",
        "",
        "chrome-extension://",
        "https://chrome-extension://abc",
        "file://",
    ] {
        let answer = ask(&world, &[("host", b"localhost"), ("origin", origin.as_bytes())]).await;
        assert_eq!(answer.code(), ErrorCode::ForeignOrigin, "{origin}");
    }
    let both: &[(&str, &[u8])] = &[("origin", b"moz-extension://a"), ("origin", b"https://evil.example")];
    assert_eq!(ask(&world, both).await.code(), ErrorCode::ForeignOrigin);
    assert_eq!(refusals(&world, "foreign-origin"), 9);
    for origin in ["chrome-extension://abcdefgh", "moz-extension://0a1b-2c", "safari-web-extension://X"] {
        let answer = ask(&world, &[("host", b"localhost"), ("origin", origin.as_bytes())]).await;
        assert!(answer.status.is_success(), "{origin}");
    }
}

#[actix_web::test]
async fn a51_no_page_spends_an_addresss_requests_by_pictures_and_links() {
    let rates = RequestRates { per_address: NonZeroU32::new(3), ..RequestRates::default() };
    let world = World::behind(Backend::Memory, Front { rates, ..Front::default() }).await;
    let info = |mode| TestRequest::get().uri("/v1/info").insert_header(("sec-fetch-mode", mode));
    for mode in ["no-cors", "navigate", "websocket"] {
        for _ in 0..10 {
            assert_eq!(world.send(info(mode)).await.code(), ErrorCode::ForeignOrigin, "{mode}");
        }
    }
    assert_eq!((refusals(&world, "foreign-origin"), refusals(&world, "address-requests")), (30, 0));
    // An extension asks so; nobody has used up what its address may.
    for _ in 0..3 {
        assert!(world.send(info("cors")).await.status.is_success());
    }
    assert_eq!(world.send(info("cors")).await.code(), ErrorCode::TooManyAttempts);
    // Whoever looks whether the server is well may use a browser.
    let health = TestRequest::get().uri("/healthz").insert_header(("sec-fetch-mode", "navigate"));
    assert!(world.send(health).await.status.is_success());
}

#[actix_web::test]
async fn a51_nobody_is_told_that_a_page_may_read_an_answer() {
    let world = world().await;
    for origin in ["https://evil.example", "moz-extension://0a1b-2c"] {
        for request in [
            TestRequest::default().method(actix_web::http::Method::OPTIONS).uri("/v1/session/challenge"),
            TestRequest::get().uri("/v1/info"),
            TestRequest::get().uri("/healthz"),
        ] {
            let request = request.insert_header(("origin", origin));
            let answer = world.send(request.insert_header(("access-control-request-method", "POST"))).await;
            let cors = answer.headers.iter().find(|name| name.starts_with("access-control-"));
            assert_eq!(cors, None, "{origin}");
        }
    }
}

#[actix_web::test]
async fn health_is_told_under_any_name() {
    let world = world().await;
    for path in ["/healthz", "/readyz"] {
        let request = TestRequest::get().uri(path).insert_header(("host", "server.internal:7390"));
        assert!(world.send(request).await.status.is_success(), "{path}");
    }
    let request = TestRequest::get().uri("/v1/info").insert_header(("host", "server.internal:7390"));
    assert_eq!(world.send(request).await.code(), ErrorCode::ForeignHost);
}
