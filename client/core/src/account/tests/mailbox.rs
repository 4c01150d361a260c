//! The mailboxes of the server in memory.

#![allow(clippy::result_large_err, reason = "nobody minds in tests")]

use std::collections::BTreeMap;

use lockstep_proto::api::pairing::{
    OpenPairing, PairingOpened, PairingReceived, PairingSent, PairingStep, ReceivePairing, SendPairing,
};
use lockstep_proto::api::{ErrorCode, Problem};
use lockstep_proto::bytes::Bytes;

use super::server::ok;
use crate::ports::Response;

#[derive(Default)]
pub(super) struct Mailboxes(BTreeMap<Vec<u8>, BTreeMap<PairingStep, Vec<u8>>>);

impl Mailboxes {
    pub(super) fn open(&mut self, body: &OpenPairing) -> Result<Response, Problem> {
        let first = BTreeMap::from([(PairingStep::Invitation, body.invitation.0.clone())]);
        self.0.insert(body.rendezvous.0.clone(), first);
        ok(&PairingOpened { expires_ms: 0 })
    }

    pub(super) fn send(&mut self, body: &SendPairing) -> Result<Response, Problem> {
        let mailbox = self.0.get_mut(&body.rendezvous.0).ok_or_else(unknown)?;
        let known = mailbox.entry(body.step).or_insert_with(|| body.message.0.clone());
        if *known != body.message.0 {
            return Err(Problem::new(ErrorCode::PairingTaken, "it is there already"));
        }
        ok(&PairingSent {})
    }

    pub(super) fn receive(&self, body: &ReceivePairing) -> Result<Response, Problem> {
        let mailbox = self.0.get(&body.rendezvous.0).ok_or_else(unknown)?;
        ok(&PairingReceived { message: mailbox.get(&body.step).cloned().map(Bytes) })
    }

    /// Their time is over.
    pub(super) fn end(&mut self) {
        self.0.clear();
    }

    /// Changes a message that lies in a mailbox.
    pub(super) fn change(&mut self, step: PairingStep, change: impl Fn(&mut Vec<u8>)) {
        self.0.values_mut().filter_map(|mailbox| mailbox.get_mut(&step)).for_each(change);
    }
}

fn unknown() -> Problem {
    Problem::new(ErrorCode::NoPairing, "there is no such mailbox")
}
