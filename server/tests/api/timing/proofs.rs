//! Proofs by signature: what the time of a refusal tells of an account, a device and a Recovery Key.

use std::time::Instant;

use lockstep_proto::api::recovery::{RecoveryProof, RecoveryStart};
use lockstep_proto::api::session::{Challenge, ChallengeRequest, SessionRequest};
use lockstep_proto::ids::{AccountId, DeviceId};
use lockstep_proto::sign::Signature;

use super::support::{Account, World, random};
use super::{Kind, Samples};

/// What is asked for, with a signature by somebody else.
pub(crate) struct Proofs {
    account_id: AccountId,
    device_id: DeviceId,
    unknown: [(AccountId, DeviceId); 2],
}

pub(crate) const KINDS: [Kind; 7] = [
    Kind::Device,
    Kind::UnknownDevice,
    Kind::DeviceOfNobody,
    Kind::DeviceOfNobodyToo,
    Kind::Sheet,
    Kind::SheetOfNobody,
    Kind::SheetOfNobodyToo,
];

pub(crate) const PAIRS: [(Kind, Kind); 6] = [
    (Kind::Device, Kind::DeviceOfNobody),
    (Kind::Device, Kind::UnknownDevice),
    (Kind::UnknownDevice, Kind::DeviceOfNobody),
    (Kind::DeviceOfNobody, Kind::DeviceOfNobodyToo),
    (Kind::Sheet, Kind::SheetOfNobody),
    (Kind::SheetOfNobody, Kind::SheetOfNobodyToo),
];

impl Proofs {
    pub(crate) fn new(account: &Account) -> Self {
        let unknown = [(); 2].map(|()| (AccountId(random()), DeviceId(random())));
        Self { account_id: account.id, device_id: account.device.id(), unknown }
    }

    pub(crate) async fn sample(&self, world: &World, kind: Kind, samples: &mut Samples) {
        let (account_id, device_id) = match kind {
            Kind::UnknownDevice => (self.account_id, self.unknown[0].1),
            Kind::DeviceOfNobody | Kind::SheetOfNobody => self.unknown[0],
            Kind::DeviceOfNobodyToo | Kind::SheetOfNobodyToo => self.unknown[1],
            _ => (self.account_id, self.device_id),
        };
        // R is a point, the base point, and S < L: so all of a verification is done.
        let mut signature = Signature(random());
        signature.0[..32].fill(0x66);
        signature.0[0] = 0x58;
        signature.0[63] &= 0x0f;
        let [first, last] = samples.entry(kind).or_default();
        let began = Instant::now();
        let asked = match kind {
            Kind::Sheet | Kind::SheetOfNobody | Kind::SheetOfNobodyToo => {
                world.post("/v1/recovery/challenge", "", &RecoveryStart { account_id }).await
            }
            _ => {
                let request = ChallengeRequest { account_id, device_id };
                world.post("/v1/session/challenge", "", &request).await
            }
        };
        first.push(began.elapsed().as_nanos() as f64);
        let nonce = asked.ok::<Challenge>().nonce;
        let began = Instant::now();
        let answer = match kind {
            Kind::Sheet | Kind::SheetOfNobody | Kind::SheetOfNobodyToo => {
                world.post("/v1/recovery", "", &RecoveryProof { account_id, nonce, signature }).await
            }
            _ => {
                let request = SessionRequest { account_id, device_id, nonce, signature };
                world.post("/v1/session", "", &request).await
            }
        };
        last.push(began.elapsed().as_nanos() as f64);
        assert!(answer.status.is_client_error());
    }
}
