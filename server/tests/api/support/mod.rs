//! A server without sockets, and a client that signs.

mod account;
mod opaque;
mod rekey;
mod routes;
mod state;
mod tokens;
mod vault;

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Bytes;
use futures_util::stream::{Stream, StreamExt as _, once};
use lockstep_domain::limits::RequestRates;
use lockstep_domain::services::{Admissions, Ports, SignupRule};
use lockstep_domain::store::Store;
use lockstep_domain::{Clock, ServerSecrets};
use lockstep_proto::api::{CBOR, ErrorCode, Problem};
use lockstep_proto::ids::ServerId;
use lockstep_server::{App, Front, SystemRandom, http_app};
use lockstep_store::StoreUrl;
use lockstep_store::postgres::testing::TestDatabase;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use account::{Account, Device, password_key, random};
pub(crate) use opaque::{Login, Registration};
pub(crate) use routes::{Route, Wants, guarded, open as open_routes};
pub(crate) use tokens::forged;
pub(crate) use vault::{Vault, item};

/// The first message of some sign-in.
pub(crate) fn start_login(password: &[u8]) -> Vec<u8> {
    Login::start(password).1
}

/// A clock that a test moves.
pub(crate) struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl TestClock {
    pub(crate) fn set_ms(&self, now_ms: u64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }

    pub(crate) fn advance_seconds(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Backend {
    Memory,
    Sqlite,
    Postgres,
}

impl Backend {
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::Sqlite, Self::Postgres];
    pub(crate) const DURABLE: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

/// Where servers keep what they keep: it outlives them.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    database: OnceCell<TestDatabase>,
}

impl Place {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self { folder: tempfile::tempdir().unwrap(), database: OnceCell::new() })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The PostgreSQL database, where the server has one.
    pub(crate) fn database(&self) -> &TestDatabase {
        self.database.get().unwrap()
    }
}

type Call = dyn Fn(TestRequest, Option<Payload>) -> Pin<Box<dyn Future<Output = Answer>>>;

/// A running server.
pub(crate) struct World {
    call: Rc<Call>,
    pub(crate) store: Arc<dyn Store>,
    token_key: [u8; 32],
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) server_id: ServerId,
    pub(crate) folder: Rc<Place>,
    /// From where requests come, by way of a proxy that the server trusts; `None` for nowhere in particular.
    address: Cell<Option<IpAddr>>,
}

/// The proxy that servers trust here.
const PROXY: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 1_234);

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) retry_after: Option<u32>,
    /// The names of all headers.
    pub(crate) headers: Vec<String>,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn ok<T: DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{} {}", self.status, self.problem().detail);
        self.decode()
    }

    pub(crate) fn problem(&self) -> Problem {
        let problem: Problem = self.decode();
        assert_eq!(problem.retry_after_seconds, self.retry_after);
        assert_eq!(problem.status, self.status.as_u16());
        assert_eq!(problem.code.status(), self.status.as_u16());
        assert!(!problem.detail.is_empty());
        problem
    }

    pub(crate) fn code(&self) -> ErrorCode {
        assert!(!self.status.is_success(), "refusal expected");
        self.problem().code
    }

    fn decode<T: DeserializeOwned>(&self) -> T {
        match self.content_type.as_str() {
            "application/cbor" | "application/problem+cbor" => {
                ciborium::from_reader(&self.bytes[..]).unwrap()
            }
            other => panic!("{other}: {}", String::from_utf8_lossy(&self.bytes)),
        }
    }
}

impl World {
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::start_with(backend, SignupRule::Open).await
    }

    pub(crate) async fn start_with(backend: Backend, rule: SignupRule) -> Self {
        let folder = Place::new();
        let secrets = ServerSecrets::make(&SystemRandom);
        Self::on(open(backend, &folder), &secrets, rule, folder).await
    }

    /// A server with these rules before it.
    pub(crate) async fn behind(backend: Backend, front: Front) -> Self {
        let folder = Place::new();
        let secrets = ServerSecrets::make(&SystemRandom);
        let admissions = Admissions::unguarded(SignupRule::Open);
        Self::make(open(backend, &folder), &secrets, admissions, front, folder).await
    }

    pub(crate) async fn on(
        store: Arc<dyn Store>,
        secrets: &ServerSecrets,
        rule: SignupRule,
        folder: Rc<Place>,
    ) -> Self {
        Self::admitting(store, secrets, Admissions::unguarded(rule), folder).await
    }

    /// With these limits, behind a proxy that it trusts.
    pub(crate) async fn limited(backend: Backend, rates: RequestRates) -> Self {
        let folder = Place::new();
        let (store, secrets) = (open(backend, &folder), ServerSecrets::make(&SystemRandom));
        let front = Front { rates, proxies: PROXY.ip().to_string().parse().unwrap(), ..Front::default() };
        Self::make(store, &secrets, Admissions::unguarded(SignupRule::Open), front, folder).await
    }

    pub(crate) async fn admitting(
        store: Arc<dyn Store>,
        secrets: &ServerSecrets,
        admissions: Admissions,
        folder: Rc<Place>,
    ) -> Self {
        let proxies = PROXY.ip().to_string().parse().unwrap();
        Self::make(store, secrets, admissions, Front { proxies, ..Front::default() }, folder).await
    }

    async fn make(
        store: Arc<dyn Store>,
        secrets: &ServerSecrets,
        admissions: Admissions,
        front: Front,
        folder: Rc<Place>,
    ) -> Self {
        let clock = Arc::new(TestClock(AtomicU64::new(1_800_000_000_000)));
        let token_key = *secrets.expose_token_key();
        let ports = Ports { store: store.clone(), clock: clock.clone(), random: Arc::new(SystemRandom) };
        let app = App::new(ports, secrets, admissions, front).unwrap();
        let service = Rc::new(init_service(http_app(app.clone())).await);
        let call = move |request: TestRequest, payload: Option<Payload>| {
            let service = service.clone();
            let answer = async move {
                let mut request = request.to_request();
                if let Some(payload) = payload {
                    *request.payload() = payload;
                }
                let response = call_service(&*service, request).await;
                let content_type =
                    response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
                let retry_after = response.headers().get("retry-after");
                let retry_after = retry_after.map(|value| value.to_str().unwrap().parse().unwrap());
                Answer {
                    status: response.status(),
                    content_type: content_type.unwrap_or_default(),
                    retry_after,
                    headers: response.headers().keys().map(ToString::to_string).collect(),
                    bytes: read_body(response).await.to_vec(),
                }
            };
            Box::pin(answer) as Pin<Box<dyn Future<Output = Answer>>>
        };
        let (server_id, address) = (secrets.server_id(), Cell::new(None));
        Self { call: Rc::new(call), store, token_key, app, clock, server_id, folder, address }
    }

    /// From here on requests come from this address.
    pub(crate) fn move_to(&self, address: impl Into<IpAddr>) {
        self.address.set(Some(address.into()));
    }

    pub(crate) async fn send(&self, request: TestRequest) -> Answer {
        let request = match self.address.get() {
            Some(address) => request.peer_addr(PROXY).insert_header(("x-forwarded-for", address.to_string())),
            None => request,
        };
        (self.call)(request, None).await
    }

    /// Sends a body as it comes.
    pub(crate) async fn send_stream(&self, request: TestRequest, payload: Payload) -> Answer {
        (self.call)(request, Some(payload)).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        let request = TestRequest::get().uri(path).insert_header(("accept", CBOR));
        self.send(authorized(request, token)).await
    }

    pub(crate) async fn post<T: Serialize>(&self, path: &str, token: &str, body: &T) -> Answer {
        let mut bytes = Vec::new();
        ciborium::into_writer(body, &mut bytes).unwrap();
        self.post_bytes(path, token, CBOR, bytes).await
    }

    /// Sends a body of which one byte is held back until `meanwhile` is over.
    pub(crate) async fn post_slowly<T: Serialize>(
        &self,
        path: &str,
        token: &str,
        body: &T,
        meanwhile: impl Future<Output = ()> + 'static,
    ) -> Answer {
        let mut bytes = Vec::new();
        ciborium::into_writer(body, &mut bytes).unwrap();
        let mut bytes = Bytes::from(bytes);
        let last = bytes.split_off(bytes.len() - 1);
        let rest = async move {
            meanwhile.await;
            Ok(last)
        };
        let parts = once(async move { Ok::<_, PayloadError>(bytes) }).chain(once(rest));
        let payload: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = Box::pin(parts);
        let request = TestRequest::post().uri(path).insert_header(("content-type", CBOR));
        (self.call)(authorized(request, token), Some(Payload::from(payload))).await
    }

    pub(crate) async fn post_bytes(
        &self,
        path: &str,
        token: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Answer {
        let request = TestRequest::post().uri(path).insert_header(("content-type", content_type));
        self.send(authorized(request.set_payload(body), token)).await
    }
}

pub(crate) fn open(backend: Backend, place: &Place) -> Arc<dyn Store> {
    let url = match backend {
        Backend::Memory => StoreUrl::Memory,
        Backend::Sqlite => StoreUrl::Sqlite(place.path().join("lockstep.db")),
        Backend::Postgres => {
            let database = place.database.get_or_init(TestDatabase::make);
            database.url().parse().unwrap()
        }
    };
    lockstep_store::open(&url).unwrap()
}

fn authorized(request: TestRequest, token: &str) -> TestRequest {
    if token.is_empty() {
        request
    } else {
        request.insert_header(("authorization", format!("Bearer {token}")))
    }
}
