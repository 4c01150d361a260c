//! The mailbox, from either side: writing, reading, waiting. Everything is repeated while a failure may pass by itself.

use lockstep_crypto::pairing::PairingSecrets;
use lockstep_proto::api::pairing::{OpenPairing, PAIRING_SECONDS, PairingStep, ReceivePairing, SendPairing};
use lockstep_proto::bytes::Bytes;

use super::PairingError;
use crate::api::retry::{Advice, Backoff, advice};
use crate::api::{Api, ApiError, TokenSource};
use crate::ports::Ports;

/// Attempts of one call, at most.
const ATTEMPTS: u32 = 6;
/// A server that asks for more patience than this, in milliseconds, gets none.
const ASKED_LIMIT_MS: u64 = 5_000;
/// A server that answers at once that there is nothing yet is asked again after this long, in milliseconds.
const PAUSE_MS: u64 = 200;
/// How often it is asked, at most, whatever the clock says.
const QUESTIONS: usize = 600;
/// How long an answer is waited for, at most, in milliseconds: the mailbox ends before.
const PATIENCE_MS: u64 = (PAIRING_SECONDS as u64 + 15) * 1_000;

/// A mailbox on the server.
pub(super) struct Mailbox {
    ports: Ports,
    api: Api,
    rendezvous: Bytes,
}

impl Mailbox {
    pub(super) fn new(ports: &Ports, api: &Api, secrets: &PairingSecrets) -> Self {
        let rendezvous = Bytes(secrets.rendezvous().to_vec());
        Self { ports: ports.clone(), api: api.clone(), rendezvous }
    }

    /// Opens it with the invitation.
    pub(super) async fn open(&self, tokens: &dyn TokenSource, invitation: &[u8]) -> Result<(), PairingError> {
        let body =
            OpenPairing { rendezvous: self.rendezvous.clone(), invitation: Bytes(invitation.to_vec()) };
        let mut attempts = self.attempts();
        loop {
            match self.api.open_pairing(tokens, &body).await {
                Ok(_) => return Ok(()),
                Err(error) => attempts.wait(error).await?,
            }
        }
    }

    /// Writes a message of the device that opened the mailbox.
    pub(super) async fn send(
        &self,
        tokens: &dyn TokenSource,
        step: PairingStep,
        message: &[u8],
    ) -> Result<(), PairingError> {
        let body = self.letter(step, message);
        let mut attempts = self.attempts();
        loop {
            match self.api.send_pairing(tokens, &body).await {
                Ok(_) => return Ok(()),
                Err(error) => attempts.wait(error).await?,
            }
        }
    }

    /// Writes the new device's offer.
    pub(super) async fn offer(&self, message: &[u8]) -> Result<(), PairingError> {
        let body = self.letter(PairingStep::Offer, message);
        let mut attempts = self.attempts();
        loop {
            match self.api.offer_pairing(&body).await {
                Ok(_) => return Ok(()),
                Err(error) => attempts.wait(error).await?,
            }
        }
    }

    /// Waits for a message.
    pub(super) async fn wait_for(&self, step: PairingStep) -> Result<Vec<u8>, PairingError> {
        let started = self.ports.clock.now_ms();
        for _ in 0..QUESTIONS {
            if let Some(message) = self.look_for(step).await? {
                return Ok(message);
            }
            self.ports.clock.sleep_ms(PAUSE_MS).await;
            if self.ports.clock.now_ms().saturating_sub(started) > PATIENCE_MS {
                break;
            }
        }
        Err(PairingError::NoAnswer)
    }

    /// A message, if it is there by now. [`PairingError::Ended`] says that the mailbox is gone.
    pub(super) async fn look_for(&self, step: PairingStep) -> Result<Option<Vec<u8>>, PairingError> {
        let body = ReceivePairing { rendezvous: self.rendezvous.clone(), step };
        let mut attempts = self.attempts();
        loop {
            match self.api.receive_pairing(&body).await {
                Ok(received) => return Ok(received.message.map(|message| message.0)),
                Err(error) => attempts.wait(error).await?,
            }
        }
    }

    fn letter(&self, step: PairingStep, message: &[u8]) -> SendPairing {
        SendPairing { rendezvous: self.rendezvous.clone(), step, message: Bytes(message.to_vec()) }
    }

    fn attempts(&self) -> Attempts<'_> {
        Attempts::new(&self.ports)
    }
}

/// The attempts of one call.
pub(super) struct Attempts<'a> {
    ports: &'a Ports,
    backoff: Backoff,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(ports: &'a Ports) -> Self {
        Self { ports, backoff: Backoff::new() }
    }

    /// Waits before the next one; the failure, when it is final.
    pub(super) async fn wait(&mut self, error: ApiError) -> Result<(), ApiError> {
        let Advice::TryAgain { asked_ms } = advice(&error) else { return Err(error) };
        if self.backoff.attempts() + 1 >= ATTEMPTS || asked_ms.is_some_and(|asked| asked > ASKED_LIMIT_MS) {
            return Err(error);
        }
        self.ports.clock.sleep_ms(self.backoff.make_delay_ms(asked_ms, &*self.ports.random)).await;
        Ok(())
    }
}
