//! A server in memory that keeps account logs honestly, unless a test tells it otherwise.

#![allow(clippy::result_large_err, reason = "nobody minds in tests")]

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use lockstep_crypto::opaque::Parties;
use lockstep_crypto::opaque::test_server::{TestLogin, TestServer};
use lockstep_proto::api::account::{AppendLinks, Appended, LogPage, Slot, Slots};
use lockstep_proto::api::info::{Info, SignupPolicy};
use lockstep_proto::api::session::{Challenge, Session, SessionRequest};
use lockstep_proto::api::signin::{EnrolmentSession, SigninAnswer, SigninFinish, SigninStart};
use lockstep_proto::api::signup::{RegistrationAnswer, SignupDone, SignupFinish, SignupStart};
use lockstep_proto::api::{CBOR, ErrorCode, Limits, PROBLEM_CBOR, PROTOCOL_VERSION, Problem};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{AccountId, Hash, Seq, ServerId};
use lockstep_proto::log::{AccountLink, AccountState};
use lockstep_proto::sign::Signed;
use lockstep_proto::signin::{ChallengePurpose, KsfProfile, SessionChallenge};
use lockstep_proto::wrap::slot_hash;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::mailbox::Mailboxes;
use crate::ports::{Request, Response, Transport, TransportError};
use crate::testing::TestRandom;

pub(super) const SERVER_ID: ServerId = ServerId([7; 16]);
const NONCE: [u8; 32] = [9; 32];

/// What goes wrong with the next request to a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// The server never hears of it.
    Request,
    /// The server acts; the answer is lost.
    Answer,
}

type Tamper = Box<dyn Fn(&str, &mut Response) + Send>;

#[derive(Default)]
struct Account {
    links: Vec<Vec<u8>>,
    slots: BTreeMap<Hash, Vec<u8>>,
    record: Vec<u8>,
}

impl Account {
    fn state(&self) -> AccountState {
        let links: Vec<_> = self.links.iter().map(|wire| Signed::from_wire(wire).unwrap()).collect();
        AccountState::from_links(&links).unwrap()
    }
}

#[derive(Default)]
struct Inner {
    accounts: BTreeMap<AccountId, Account>,
    logins: BTreeMap<Vec<u8>, (AccountId, TestLogin)>,
    tokens: BTreeMap<String, AccountId>,
    issued: u64,
    losses: Vec<(String, Loss)>,
    tamper: Option<Tamper>,
    sent: Vec<(String, Vec<u8>)>,
}

pub(crate) struct Server {
    opaque: TestServer,
    random: TestRandom,
    pub(super) policy: Mutex<SignupPolicy>,
    inner: Mutex<Inner>,
    mailboxes: Mutex<Mailboxes>,
}

impl Server {
    pub(super) fn new() -> Self {
        let random = TestRandom::new(1);
        let opaque = TestServer::make(&random);
        Self {
            opaque,
            random,
            policy: Mutex::new(SignupPolicy::Open),
            inner: Mutex::default(),
            mailboxes: Mutex::default(),
        }
    }

    /// Loses the next request to this path.
    pub(super) fn lose(&self, path: &str, loss: Loss) {
        self.inner().losses.push((path.to_owned(), loss));
    }

    /// Changes every answer.
    pub(super) fn tamper(&self, tamper: impl Fn(&str, &mut Response) + Send + 'static) {
        self.inner().tamper = Some(Box::new(tamper));
    }

    pub(super) fn be_honest(&self) {
        self.inner().tamper = None;
    }

    /// Loses nothing any more.
    pub(super) fn forgive(&self) {
        self.inner().losses.clear();
    }

    pub(super) fn mailboxes(&self) -> MutexGuard<'_, Mailboxes> {
        self.mailboxes.lock().unwrap()
    }

    /// Ends every session.
    pub(super) fn end_sessions(&self) {
        self.inner().tokens.clear();
    }

    /// The bodies sent to this path, in order.
    pub(super) fn sent(&self, path: &str) -> Vec<Vec<u8>> {
        self.inner().sent.iter().filter(|(sent, _)| sent == path).map(|(_, body)| body.clone()).collect()
    }

    /// Everything any client ever sent.
    pub(super) fn everything_sent(&self) -> Vec<u8> {
        self.inner().sent.iter().flat_map(|(_, body)| body.clone()).collect()
    }

    pub(super) fn links(&self, account_id: &AccountId) -> Vec<Vec<u8>> {
        self.inner().accounts[account_id].links.clone()
    }

    /// Replaces an account's log.
    pub(super) fn set_links(&self, account_id: &AccountId, links: Vec<Vec<u8>>) {
        self.inner().accounts.get_mut(account_id).unwrap().links = links;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn answer(&self, request: &Request) -> Result<Response, Problem> {
        let path = request.path.split('?').next().unwrap();
        match path {
            "/v1/info" => ok(&self.info()),
            "/v1/signup/start" => self.start_signup(&read(&request.body)),
            "/v1/signup/finish" => self.finish_signup(&read(&request.body)),
            "/v1/signin/start" => self.start_signin(&read(&request.body)),
            "/v1/signin/finish" => self.finish_signin(&read(&request.body)),
            "/v1/session/challenge" => ok(&Challenge { nonce: Bytes(NONCE.to_vec()) }),
            "/v1/session" => self.open_session(&read(&request.body)),
            "/v1/account/log" => self.log(self.account(request)?, &request.path),
            "/v1/account/slots" => self.slots(self.account(request)?),
            "/v1/account/links" => self.append(self.account(request)?, &read(&request.body)),
            "/v1/pairing" => {
                self.account(request)?;
                self.mailboxes().open(&read(&request.body))
            }
            "/v1/pairing/send" => self.mailboxes().send(&read(&request.body)),
            "/v1/pairing/receive" => self.mailboxes().receive(&read(&request.body)),
            _ => Err(Problem::new(ErrorCode::NotFound, "no such path")),
        }
    }

    fn info(&self) -> Info {
        Info {
            protocol: PROTOCOL_VERSION,
            server_version: "test".to_owned(),
            server_id: SERVER_ID,
            signup: *self.policy.lock().unwrap(),
            ksf_profile: KsfProfile::CURRENT,
            limits: Limits::CURRENT,
        }
    }

    fn start_signup(&self, body: &SignupStart) -> Result<Response, Problem> {
        let response = self.opaque.register(&parties(body.account_id), &body.request).unwrap();
        let server_public_key = Bytes(self.opaque.public_key().to_vec());
        ok(&RegistrationAnswer { response: Bytes(response), server_public_key })
    }

    fn finish_signup(&self, body: &SignupFinish) -> Result<Response, Problem> {
        let account = Account {
            links: vec![body.genesis.0.clone(), body.auth_update.0.clone()],
            slots: body.slots.iter().map(|slot| (slot_hash(slot), slot.0.clone())).collect(),
            record: body.record.0.clone(),
        };
        let state = account.state();
        assert!(state.slot_hashes().iter().all(|hash| account.slots.contains_key(hash)));
        let done = SignupDone { account_id: state.account_id(), head: state.head() };
        self.inner().accounts.entry(state.account_id()).or_insert(account);
        ok(&done)
    }

    fn start_signin(&self, body: &SigninStart) -> Result<Response, Problem> {
        let mut inner = self.inner();
        let record = inner.accounts.get(&body.account_id).map(|account| account.record.clone());
        let parties = parties(body.account_id);
        let (login, ke2) = self
            .opaque
            .answer(&parties, KsfProfile::CURRENT, record.as_deref(), &body.ke1, &self.random)
            .unwrap();
        inner.issued += 1;
        let signin_id = inner.issued.to_be_bytes().to_vec();
        inner.logins.insert(signin_id.clone(), (body.account_id, login));
        ok(&SigninAnswer { signin_id: Bytes(signin_id), profile: KsfProfile::CURRENT, ke2: Bytes(ke2) })
    }

    fn finish_signin(&self, body: &SigninFinish) -> Result<Response, Problem> {
        let (account_id, login) = self.inner().logins.remove(&body.signin_id.0).unwrap();
        if !login.accepts(&body.ke3) {
            return Err(Problem::new(ErrorCode::SigninFailed, "the sign-in did not succeed"));
        }
        ok(&EnrolmentSession { enrolment_token: self.token(account_id), expires_ms: 0 })
    }

    fn open_session(&self, body: &SessionRequest) -> Result<Response, Problem> {
        let refused = || Problem::new(ErrorCode::ChallengeFailed, "the device was not recognised");
        let state = self.inner().accounts.get(&body.account_id).map(Account::state).ok_or_else(refused)?;
        let device = state.device(&body.device_id).filter(|device| device.is_active()).ok_or_else(refused)?;
        let challenge = SessionChallenge {
            server_id: SERVER_ID,
            account_id: body.account_id,
            device_id: body.device_id,
            purpose: ChallengePurpose::Session,
            nonce: NONCE,
        };
        let signed = lockstep_proto::sign::signed_bytes(&challenge);
        device.keys().signing.verify(&signed, &body.signature).map_err(|_| refused())?;
        ok(&Session { token: self.token(body.account_id), expires_ms: 0 })
    }

    fn token(&self, account_id: AccountId) -> String {
        let mut inner = self.inner();
        inner.issued += 1;
        let token = format!("token-{}", inner.issued);
        inner.tokens.insert(token.clone(), account_id);
        token
    }

    fn account(&self, request: &Request) -> Result<AccountId, Problem> {
        let token = request.token.clone().unwrap_or_default();
        let known = self.inner().tokens.get(&token).copied();
        known.ok_or_else(|| Problem::new(ErrorCode::Unauthenticated, "a session is needed"))
    }

    /// Pages of two links, so that paging is walked.
    fn log(&self, account_id: AccountId, path: &str) -> Result<Response, Problem> {
        let inner = self.inner();
        let account = &inner.accounts[&account_id];
        let start = path.split_once("after=").map_or(0, |(_, after)| after.parse::<usize>().unwrap() + 1);
        let rest = account.links.get(start..).unwrap_or_default();
        let links = rest.iter().take(2).cloned().map(Bytes).collect();
        ok(&LogPage { links, head: account.state().head(), more: rest.len() > 2 })
    }

    fn slots(&self, account_id: AccountId) -> Result<Response, Problem> {
        let inner = self.inner();
        let account = &inner.accounts[&account_id];
        let named = account.state().slot_hashes();
        let slots = account.slots.iter().filter(|(hash, _)| named.contains(hash));
        let slots = slots.map(|(hash, bytes)| Slot { hash: *hash, bytes: Bytes(bytes.clone()) }).collect();
        ok(&Slots { slots, oldest: None, head: account.state().head() })
    }

    fn append(&self, account_id: AccountId, body: &AppendLinks) -> Result<Response, Problem> {
        let mut inner = self.inner();
        let account = inner.accounts.get_mut(&account_id).unwrap();
        for wire in &body.links {
            let link = Signed::<AccountLink>::from_wire(wire).unwrap();
            let Seq(seq) = link.value().seq;
            let stored = account.links.get(usize::try_from(seq).unwrap());
            if stored.is_some_and(|stored| *stored == wire.0) {
                continue;
            }
            let state = account.state();
            if link.value().prev_hash != state.head().hash {
                return Err(Problem::new(ErrorCode::HeadMoved, "pull first").with_head(state.head()));
            }
            let refused = |error: lockstep_proto::log::LinkError| {
                Problem::new(ErrorCode::LinkRefused, error.to_string())
            };
            state.apply(&link).map_err(refused)?;
            account.links.push(wire.0.clone());
        }
        account.slots.extend(body.slots.iter().map(|slot| (slot_hash(slot), slot.0.clone())));
        let last = Signed::<AccountLink>::from_wire(body.links.last().unwrap()).unwrap();
        let head = lockstep_proto::log::LogHead { seq: last.value().seq, hash: last.hash() };
        ok(&Appended { head })
    }
}

#[async_trait::async_trait]
impl Transport for Server {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let path = request.path.split('?').next().unwrap().to_owned();
        let loss = {
            let mut inner = self.inner();
            inner.sent.push((path.clone(), request.body.clone()));
            let place = inner.losses.iter().position(|(lost, _)| *lost == path);
            place.map(|place| inner.losses.remove(place).1)
        };
        if loss == Some(Loss::Request) {
            return Err(TransportError::Unreachable(None));
        }
        let mut response = self.answer(&request).unwrap_or_else(|problem| {
            let body = write(&problem);
            Response {
                status: problem.status,
                content_type: PROBLEM_CBOR.to_owned(),
                body,
                retry_after: None,
            }
        });
        if path == "/v1/pairing/receive" {
            yield_once().await;
        }
        if loss == Some(Loss::Answer) {
            return Err(TransportError::TimedOut);
        }
        if let Some(tamper) = &self.inner().tamper {
            tamper(&path, &mut response);
        }
        Ok(response)
    }
}

/// Lets others run: a mailbox is waited at.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(move |_| match std::mem::replace(&mut yielded, true) {
        true => std::task::Poll::Ready(()),
        false => std::task::Poll::Pending,
    })
    .await;
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> T {
    ciborium::from_reader(body).unwrap()
}

pub(super) fn write<T: Serialize>(value: &T) -> Vec<u8> {
    let mut body = Vec::new();
    ciborium::into_writer(value, &mut body).unwrap();
    body
}

pub(super) fn ok<T: Serialize>(value: &T) -> Result<Response, Problem> {
    Ok(Response { status: 200, content_type: CBOR.to_owned(), body: write(value), retry_after: None })
}

fn parties(account_id: AccountId) -> Parties {
    Parties { account_id, server_id: SERVER_ID }
}
