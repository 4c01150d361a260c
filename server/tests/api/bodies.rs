//! Bodies of a crowd: they have to come, and all of them together take no more memory than there is for them.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::test::TestRequest;
use actix_web::web::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{Stream, StreamExt as _, once, pending, unfold};
use lockstep_proto::api::{CBOR, ErrorCode, HEAL_ACCOUNT_LIMIT, REQUEST_LIMIT};
use lockstep_server::{BodyMemory, ConnectionRules, Front, Pace};
use tokio::sync::Semaphore;
use tokio::time::{Instant, pause};

use crate::support::{Account, Answer, Backend, Vault, World, item};

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>;

const SMALL: usize = 64 << 10;

fn post(path: &str, address: u8) -> TestRequest {
    let peer = SocketAddr::from((Ipv4Addr::new(192, 0, 2, address), 40_000));
    TestRequest::post().uri(path).insert_header(("content-type", CBOR)).peer_addr(peer)
}

async fn send(world: &World, request: TestRequest, chunks: Chunks) -> Answer {
    world.send_stream(request, Payload::from(chunks)).await
}

fn counted(world: &World, limit: &str) -> u64 {
    world.app.limit_counts().find(|(name, _)| *name == limit).unwrap().1
}

/// Lets the paused clock go on: nobody waits.
#[allow(clippy::disallowed_methods)]
async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// One byte after each pause, for ever; and how many there were.
fn trickle(pause: Duration) -> (Chunks, Rc<Cell<usize>>) {
    let sent = Rc::new(Cell::new(0));
    let counter = sent.clone();
    let chunks = unfold((), move |()| {
        let counter = counter.clone();
        async move {
            seconds(pause.as_secs_f64()).await;
            counter.set(counter.get() + 1);
            Some((Ok(Bytes::from_static(b"\x80")), ()))
        }
    });
    (Box::pin(chunks), sent)
}

#[actix_web::test]
async fn a50_a_body_that_does_not_come_is_given_up() {
    let world = World::start(Backend::Memory).await;
    pause();
    let begun = Instant::now();
    let answer = send(&world, post("/v1/signin/start", 1), Box::pin(pending())).await;
    assert_eq!(answer.code(), ErrorCode::BadRequest);
    assert!(answer.problem().detail.contains("took too long"));
    assert_eq!(begun.elapsed().as_secs(), 15);
    assert_eq!(counted(&world, "slow-body"), 1);
}

#[actix_web::test]
async fn a50_a_body_that_trickles_is_given_up() {
    let world = World::start(Backend::Memory).await;
    pause();
    for (millis, seconds, bytes) in [(1_000, 6, 5), (14_000, 19, 1), (100, 5, 50)] {
        let begun = Instant::now();
        let (chunks, sent) = trickle(Duration::from_millis(millis));
        let answer = send(&world, post("/v1/signin/start", 1), chunks).await;
        assert_eq!(answer.code(), ErrorCode::BadRequest);
        assert_eq!(begun.elapsed().as_secs(), seconds, "{millis}");
        assert!(sent.get() >= bytes, "{}", sent.get());
    }
}

#[actix_web::test]
async fn a_slow_line_is_fast_enough() {
    let world = World::start(Backend::Memory).await;
    pause();
    // 1.2 KB each second, and a pause of four seconds at the start.
    let chunks = unfold(0, |sent| async move {
        seconds(if sent == 1 { 4.0 } else { 1.0 }).await;
        (sent < 50).then(|| (Ok(Bytes::from(vec![0x80; 1_200])), sent + 1))
    });
    let answer = send(&world, post("/v1/signin/start", 1), Box::pin(chunks)).await;
    assert!(answer.problem().detail.contains("expected map"), "{}", answer.problem().detail);
    // Even then it has to end some day.
    let pace = Pace { rate: 100, ..Front::default().pace };
    let world = World::behind(Backend::Memory, Front { pace, ..Front::default() }).await;
    let begun = Instant::now();
    let endless = unfold((), |()| async {
        seconds(1.0).await;
        Some((Ok(Bytes::from(vec![0x80; 500])), ()))
    });
    let answer = send(&world, post("/v1/signin/start", 1), Box::pin(endless)).await;
    assert!(answer.problem().detail.contains("took too long"));
    assert_eq!(begun.elapsed().as_secs(), 120);
}

#[actix_web::test]
async fn a50_a_large_body_without_a_session_comes_at_once_and_fast_or_makes_room() {
    let world = World::start(Backend::Memory).await;
    pause();
    let large =
        || post("/v1/heal/account", 1).insert_header(("content-length", HEAL_ACCOUNT_LIMIT.to_string()));
    let begun = Instant::now();
    let (silent, second) =
        tokio::join!(send(&world, large(), Box::pin(pending())), send(&world, large(), Box::pin(pending())));
    assert!(silent.problem().detail.contains("took too long"));
    assert_eq!((second.code(), counted(&world, "body-share")), (ErrorCode::TooManyAttempts, 1));
    assert_eq!(begun.elapsed().as_secs(), 5);
    // Also one that did not say so: it is large from here on.
    let begun = Instant::now();
    let growing = unfold((), |()| async {
        seconds(1.0).await;
        Some((Ok(Bytes::from(vec![0x80; 6_000])), ()))
    });
    let answer = send(&world, post("/v1/heal/account", 1), Box::pin(growing)).await;
    assert!(answer.problem().detail.contains("took too long"));
    assert!((11..25).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[actix_web::test]
async fn a_body_that_is_announced_too_large_is_not_read() {
    let world = World::start(Backend::Memory).await;
    for (path, limit) in [("/v1/signin/start", SMALL), ("/v1/heal/account", HEAL_ACCOUNT_LIMIT)] {
        let request = post(path, 1).insert_header(("content-length", (limit + 1).to_string()));
        let answer = send(&world, request, Box::pin(pending())).await;
        assert_eq!(answer.code(), ErrorCode::TooLarge);
    }
    // Nor does anybody believe the other way round.
    let request = post("/v1/signin/start", 1).insert_header(("content-length", "1"));
    let more = futures_util::stream::repeat_with(|| Ok(Bytes::from(vec![0; 4_096])));
    assert_eq!(send(&world, request, Box::pin(more)).await.code(), ErrorCode::TooLarge);
}

/// This many bytes at once, and the last one when the gate opens.
fn held_back(size: usize, gate: &Rc<Semaphore>) -> Chunks {
    let gate = gate.clone();
    let parts = (size - 1).div_ceil(4_096);
    let first = futures_util::stream::iter(
        (0..parts).map(move |part| Ok(Bytes::from(vec![0x80; 4_096.min(size - 1 - part * 4_096)]))),
    );
    let last = once(async move {
        drop(gate.acquire().await);
        Ok(Bytes::from_static(b"\x80"))
    });
    Box::pin(first.chain(last))
}

#[actix_web::test]
async fn a50_a_crowd_without_sessions_takes_a_small_part_of_the_memory() {
    let bodies = BodyMemory { all: 16 << 20, sessionless: 1 << 20 };
    let world = World::behind(Backend::Memory, Front { bodies, ..Front::default() }).await;
    let mut account = Account::sign_up(&world).await;
    let token = account.token(&world).await;
    let mut vault = Vault::create(&world, &mut account, &token).await;
    // Twice: what is given up is given back.
    for round in 0..2 {
        let gate = Rc::new(Semaphore::new(0));
        let crowd =
            (0..200).map(|address| send(&world, post("/v1/signin/start", address), held_back(SMALL, &gate)));
        let owner = async {
            // By now each of the crowd has sent all it could.
            vault.push(&world, &account, &token, &[item(100 + round)]).await;
            account.token(&world).await;
            gate.add_permits(1);
        };
        let (crowd, ()) = tokio::join!(join_all(crowd), owner);
        let busy = crowd.iter().filter(|answer| answer.code() == ErrorCode::Unavailable);
        let busy: Vec<_> = busy.map(Answer::problem).collect();
        assert_eq!(crowd.len() - busy.len(), (1 << 20) / (SMALL - 4_096));
        assert!(busy.iter().all(|problem| problem.retry_after_seconds == Some(5)));
        assert_eq!(counted(&world, "body-memory"), (round as u64 + 1) * busy.len() as u64);
    }
}

#[actix_web::test]
async fn a50_large_bodies_without_a_session_are_few_and_one_address_has_not_all() {
    let world = World::start(Backend::Memory).await;
    let gate = Rc::new(Semaphore::new(0));
    let large = (0..8)
        .map(|address| send(&world, post("/v1/heal/account", address), held_back(HEAL_ACCOUNT_LIMIT, &gate)));
    let same = (0..24).map(|_| send(&world, post("/v1/signin/start", 99), held_back(SMALL, &gate)));
    let open = async { gate.add_permits(1) };
    let (large, same, ()) = tokio::join!(join_all(large), join_all(same), open);
    let refused = |answers: &[Answer], code| answers.iter().filter(|answer| answer.code() == code).count();
    assert_eq!(refused(&large, ErrorCode::Unavailable), 4);
    assert_eq!(counted(&world, "large-bodies"), 4);
    assert_eq!(refused(&same, ErrorCode::TooManyAttempts), 24 - 17);
    assert_eq!(counted(&world, "body-share"), 24 - 17);
}

#[actix_web::test]
async fn one_account_does_not_take_the_memory_of_all() {
    let world = World::start(Backend::Memory).await;
    let (hostile, honest) = (Account::sign_up(&world).await, Account::sign_up(&world).await);
    let (hostile, honest) = (hostile.token(&world).await, honest.token(&world).await);
    let gate = Rc::new(Semaphore::new(0));
    let upload = |token: &str| {
        let request =
            post("/v1/account/links", 1).insert_header(("authorization", format!("Bearer {token}")));
        send(&world, request, held_back(REQUEST_LIMIT, &gate))
    };
    let many = join_all((0..10).map(|_| upload(&hostile)));
    let open = async { gate.add_permits(1) };
    let (many, one, ()) = tokio::join!(many, upload(&honest), open);
    let refused = many.iter().filter(|answer| answer.code() == ErrorCode::TooManyAttempts).count();
    assert_eq!(refused, 7);
    assert_eq!(one.code(), ErrorCode::BadRequest);
}

#[actix_web::test]
async fn a50_one_address_behind_a_proxy_has_so_many_requests_under_way() {
    let connections = ConnectionRules { of_address: 4, ..ConnectionRules::default() };
    let proxies = "10.0.0.1".parse().unwrap();
    let world = World::behind(Backend::Memory, Front { connections, proxies, ..Front::default() }).await;
    let by_proxy = |address: u8| {
        let proxy = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 1_234));
        post("/v1/signin/start", 0)
            .peer_addr(proxy)
            .insert_header(("x-forwarded-for", format!("192.0.2.{address}")))
    };
    // Twice: who is done makes room.
    for round in 1..=2 {
        let gate = Rc::new(Semaphore::new(0));
        let crowd = (0..10).map(|_| send(&world, by_proxy(1), held_back(100, &gate)));
        let owner = async {
            let answer = send(&world, by_proxy(2), Box::pin(once(async { Ok(Bytes::new()) }))).await;
            gate.add_permits(1);
            answer
        };
        let (crowd, owner) = tokio::join!(join_all(crowd), owner);
        assert_eq!(owner.code(), ErrorCode::BadRequest);
        let refused: Vec<_> =
            crowd.iter().filter(|answer| answer.code() == ErrorCode::TooManyAttempts).collect();
        assert_eq!((refused.len(), counted(&world, "requests-under-way")), (6, 6 * round));
        assert!(refused.iter().all(|answer| answer.retry_after == Some(5)));
    }
}
