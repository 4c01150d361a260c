//! Every route, each with a request that succeeds where the right one sends it.

use actix_web::test::TestRequest;
use lockstep_proto::api::CBOR;
use lockstep_proto::api::account::{AppendLinks, RegistrationStart};
use lockstep_proto::api::heal::{FinishHeal, HealAccount, HealBlobs, HealCommits};
use lockstep_proto::api::items::{BlobsRequest, ItemVersion};
use lockstep_proto::api::pairing::{OpenPairing, PairingStep, ReceivePairing, SendPairing};
use lockstep_proto::api::recovery::RecoveryStart;
use lockstep_proto::api::session::ChallengeRequest;
use lockstep_proto::api::sides::StageSides;
use lockstep_proto::api::signin::{SigninFinish, SigninStart};
use lockstep_proto::api::signup::{SignupFinish, SignupStart};
use lockstep_proto::ids::{AccountId, DeviceId, ServerId, Version};
use lockstep_proto::log::{DeviceAdd, Enrolment, LinkBody, Signer};
use serde::Serialize;

use super::{Account, Answer, Device, Registration, Vault, World, item, random, start_login};

/// Which session a route wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// None.
    Nothing,
    /// Any.
    Any,
    /// A device's.
    Device,
    /// A device's or the Recovery Key's.
    Remover,
}

pub(crate) struct Route {
    /// As `lockstep_server::ROUTES` has it.
    pub(crate) name: (&'static str, &'static str),
    pub(crate) path: String,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) wants: Wants,
}

impl Route {
    pub(crate) async fn call(&self, world: &World, authorization: &str) -> Answer {
        let request = match &self.body {
            None if self.name.0 == "delete" => TestRequest::delete(),
            None => TestRequest::get(),
            Some(body) => TestRequest::post().set_payload(body.clone()),
        };
        let request = request.uri(&self.path).insert_header(("content-type", CBOR));
        let request = request.insert_header(("accept", CBOR));
        world.send(request.insert_header(("authorization", authorization))).await
    }

    pub(crate) async fn call_with(&self, world: &World, token: &str) -> Answer {
        self.call(world, &format!("Bearer {token}")).await
    }
}

fn get(name: &'static str, path: impl Into<String>, wants: Wants) -> Route {
    Route { name: ("get", name), path: path.into(), body: None, wants }
}

fn post<T: Serialize>(name: &'static str, path: impl Into<String>, wants: Wants, body: &T) -> Route {
    let mut bytes = Vec::new();
    ciborium::into_writer(body, &mut bytes).unwrap();
    Route { name: ("post", name), path: path.into(), body: Some(bytes), wants }
}

/// Every route that needs a session, with requests of the account's device, which succeed in this order. The last one
/// bars `other`.
pub(crate) fn guarded(
    server_id: ServerId,
    account: &mut Account,
    vault: &Vault,
    other: DeviceId,
) -> Vec<Route> {
    use Wants::{Any, Device as Own, Remover};
    let (item_id, _) = vault.leaves.iter().next().unwrap();
    let want = vec![ItemVersion { item_id: *item_id, version: Version(1) }];
    let (_, commit) = vault.write(account, &[item(100)]);
    let (_, create) = Vault::genesis(account);
    let (_, request) = Registration::start(b"new password");
    let registration = RegistrationStart { request: request.into() };
    let body = LinkBody::DeviceAdd(DeviceAdd { keys: Device::new().keys, how: Enrolment::Pairing });
    let (key, head) = (account.device.key.clone(), account.head);
    let link = account.link(Signer::Device(account.device.id()), &key, body);
    // The link is sent before.
    let bars = account.bars(server_id, vec![other]);
    account.head = head;
    let links = AppendLinks { links: vec![link], slots: Vec::new(), record: None };
    let open = OpenPairing { rendezvous: random::<16>().to_vec().into(), invitation: vec![1].into() };
    let (rendezvous, message) = (open.rendezvous.clone(), vec![2].into());
    let reveal = SendPairing { rendezvous, step: PairingStep::Reveal, message };
    let heal = (
        HealCommits { commits: Vec::new() },
        HealBlobs { blobs: Vec::new() },
        FinishHeal { head: vault.head },
    );
    let stage_sides = StageSides { commits: Vec::new() };
    let history = vault.path(&format!("items/{item_id}/versions"));
    let commits = "/v1/vaults/{vault_id}/commits";
    let items = "/v1/vaults/{vault_id}/items";
    let sides = "/v1/vaults/{vault_id}/sides";
    vec![
        get("/v1/account/log", "/v1/account/log", Any),
        get("/v1/account/log", "/v1/account/log?after=0", Any),
        get("/v1/account/slots", "/v1/account/slots", Any),
        get(commits, vault.path("commits"), Any),
        get(commits, format!("{}?after=0&limit=1", vault.path("commits")), Any),
        get("/v1/vaults/{vault_id}/control", vault.path("control"), Any),
        get(sides, vault.path("sides"), Any),
        get(sides, format!("{}?after_seq=0", vault.path("sides")), Any),
        get(items, vault.path("items"), Any),
        get(items, format!("{}?after_seq=0", vault.path("items")), Any),
        get("/v1/vaults/{vault_id}/items/{item_id}/versions", history, Any),
        post("/v1/vaults/{vault_id}/blobs", vault.path("blobs"), Any, &BlobsRequest { want }),
        post("/v1/account/registration", "/v1/account/registration", Any, &registration),
        get("/v1/account/room", "/v1/account/room", Any),
        get("/v1/vaults/{vault_id}/heal", vault.path("heal"), Own),
        post(sides, vault.path("sides"), Own, &stage_sides),
        post("/v1/vaults/{vault_id}/heal/commits", vault.path("heal/commits"), Own, &heal.0),
        post("/v1/vaults/{vault_id}/heal/blobs", vault.path("heal/blobs"), Own, &heal.1),
        post("/v1/vaults/{vault_id}/heal/finish", vault.path("heal/finish"), Own, &heal.2),
        Route {
            name: ("delete", "/v1/vaults/{vault_id}/heal"),
            ..get("/v1/vaults/{vault_id}/heal", vault.path("heal"), Own)
        },
        post("/v1/vaults", "/v1/vaults", Own, &create),
        post(commits, vault.path("commits"), Own, &commit),
        post("/v1/account/links", "/v1/account/links", Own, &links),
        post("/v1/pairing", "/v1/pairing", Own, &open),
        post("/v1/pairing/send", "/v1/pairing/send", Own, &reveal),
        post("/v1/account/bar", "/v1/account/bar", Remover, &bars),
    ]
}

/// Every route that needs none, with requests that name nothing that is there.
pub(crate) fn open() -> Vec<Route> {
    use Wants::Nothing;
    let account_id = AccountId(random());
    let challenge = ChallengeRequest { account_id, device_id: DeviceId(random()) };
    let request = Registration::start(b"x").1.into();
    let start = SignupStart { account_id, request, invite: None };
    let bytes = || vec![1; 40].into();
    let finish = SignupFinish {
        genesis: bytes(),
        auth_update: bytes(),
        slots: Vec::new(),
        record: bytes(),
        invite: None,
    };
    let ke1 = SigninStart { account_id, ke1: start_login(b"x").into() };
    let ke3 = SigninFinish { signin_id: vec![1; 16].into(), ke3: vec![1; 64].into() };
    let receive =
        ReceivePairing { rendezvous: random::<16>().to_vec().into(), step: PairingStep::Invitation };
    let recovery = RecoveryStart { account_id };
    let heal = HealAccount { links: vec![bytes()], slots: Vec::new(), record: None };
    vec![
        get("/v1/info", "/v1/info", Nothing),
        post("/v1/signup/start", "/v1/signup/start", Nothing, &start),
        post("/v1/signup/finish", "/v1/signup/finish", Nothing, &finish),
        post("/v1/signin/start", "/v1/signin/start", Nothing, &ke1),
        post("/v1/signin/finish", "/v1/signin/finish", Nothing, &ke3),
        post("/v1/session/challenge", "/v1/session/challenge", Nothing, &challenge),
        post("/v1/session", "/v1/session", Nothing, &challenge),
        post("/v1/recovery/challenge", "/v1/recovery/challenge", Nothing, &recovery),
        post("/v1/recovery", "/v1/recovery", Nothing, &recovery),
        post("/v1/heal/account", "/v1/heal/account", Nothing, &heal),
        post("/v1/pairing/receive", "/v1/pairing/receive", Nothing, &receive),
    ]
}
