//! The old device: invites, takes one offer, and after the person's word lets the new device in.

use lockstep_crypto::pairing::{
    DeviceName, Exchange, Grant, Invitation, Offer, PairingCode, PairingSecrets, PairingWords, Reveal, Sent,
    seal_reply,
};
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::random::make_secret_bytes;
use lockstep_crypto::secret_bytes::SecretBytes;
use lockstep_proto::api::pairing::PairingStep;
use lockstep_proto::ids::DeviceId;
use lockstep_proto::log::{AccountLink, DeviceAdd, Enrolment, LinkBody, LogHead, Signer, VaultHead};
use lockstep_proto::sign::Signed;

use super::PairingError;
use super::mailbox::{Attempts, Mailbox};
use crate::account::{AccountError, LinkParts, Session, Unlocked, append_link};
use crate::api::Api;
use crate::ports::Ports;

/// What the old device works with.
pub(crate) struct Approver<'a> {
    pub(crate) ports: &'a Ports,
    pub(crate) api: &'a Api,
    pub(crate) session: &'a Session,
    pub(crate) unlocked: &'a mut Unlocked,
}

/// A mailbox that waits for one offer.
pub(crate) struct Approval {
    code: PairingCode,
    secrets: PairingSecrets,
    nonce: SecretBytes<32>,
    invitation: Sent<Invitation>,
    mailbox: Mailbox,
}

/// The one offer that was taken.
pub(crate) struct OfferTaken {
    secrets: PairingSecrets,
    exchange: Exchange,
    offer: Vec<u8>,
    name: DeviceName,
    mailbox: Mailbox,
}

impl Approval {
    /// Opens a mailbox. The account's log has just been pulled.
    pub(crate) async fn open(approver: &Approver<'_>) -> Result<Self, PairingError> {
        let Approver { ports, api, session, unlocked } = approver;
        let code = PairingCode::make(&*ports.random);
        let nonce = make_secret_bytes(&*ports.random);
        let secrets = code.derive_secrets();
        let invitation = Invitation {
            server_id: unlocked.server_id(),
            account_id: unlocked.account_id(),
            head: unlocked.state().head(),
            commitment: Invitation::commit(&nonce),
        };
        let invitation = Sent::make(&secrets, invitation);
        let mailbox = Mailbox::new(ports, api, &secrets);
        mailbox.open(*session, invitation.as_bytes()).await?;
        Ok(Self { code, secrets, nonce, invitation, mailbox })
    }

    /// The code.
    pub(crate) fn code(&self) -> &PairingCode {
        &self.code
    }

    /// Waits for the offer, takes it, and tells the nonce. Whatever comes after it is not looked at.
    pub(crate) async fn take_offer(self, session: &Session) -> Result<OfferTaken, PairingError> {
        let Self { secrets, nonce, invitation, mailbox, .. } = self;
        let bytes = mailbox.wait_for(PairingStep::Offer).await?;
        let offer: Sent<Offer> = Sent::read(&secrets, &bytes)?;
        let name = offer.message().name(&secrets)?;
        let reveal = Sent::make(&secrets, Reveal { nonce: *nonce });
        let exchange = Exchange::new(invitation, offer, reveal.clone())?;
        mailbox.send(session, PairingStep::Reveal, reveal.as_bytes()).await?;
        Ok(OfferTaken { secrets, exchange, offer: bytes, name, mailbox })
    }
}

impl OfferTaken {
    /// The words to compare.
    pub(crate) fn words(&self) -> PairingWords {
        self.exchange.words()
    }

    /// What the new device calls itself.
    pub(crate) fn name(&self) -> &DeviceName {
        &self.name
    }

    /// The person says that the words are the same: adds the device to the log, durably, then sends it what it needs.
    pub(crate) async fn confirm(
        self,
        approver: Approver<'_>,
        heads: Vec<VaultHead>,
        password_key: &PasswordKey,
    ) -> Result<DeviceId, PairingError> {
        let Approver { ports, api, session, unlocked } = approver;
        let before = self.exchange.invitation().head;
        if unlocked.state().head() != before {
            return Err(PairingError::AccountChanged);
        }
        // The two minutes may be over: then nothing is signed.
        if self.mailbox.look_for(PairingStep::Offer).await?.as_ref() != Some(&self.offer) {
            return Err(PairingError::Taken);
        }
        let keys = self.exchange.offer().keys()?.clone();
        let device_id = keys.device_id();
        let body = LinkBody::DeviceAdd(DeviceAdd { keys, how: Enrolment::Pairing });
        let signer = Signer::Device(unlocked.device_id());
        let now_ms = ports.clock.now_ms();
        let link = AccountLink::after(unlocked.account_id(), &before, signer, now_ms, heads, body);
        let link = unlocked.sign_link(link).countersigned(&password_key.signing());
        let added = LogHead { seq: link.value().seq, hash: link.hash() };
        let unanswered =
            |source: PairingError| PairingError::Unanswered { device_id, source: Box::new(source) };
        match append(ports, api, unlocked, session, link).await {
            Ok(()) => {}
            // The link is durable and will be sent again (R-ONCE).
            Err(AccountError::Api(error)) => return Err(unanswered(error.into())),
            Err(AccountError::LinkOvertaken) => return Err(PairingError::AccountChanged),
            Err(error) => return Err(error.into()),
        }
        self.tell(ports, unlocked, session, added).await.map_err(unanswered)?;
        Ok(device_id)
    }

    async fn tell(
        &self,
        ports: &Ports,
        unlocked: &Unlocked,
        session: &Session,
        added: LogHead,
    ) -> Result<(), PairingError> {
        let state = unlocked.state();
        let grant = Grant {
            ark: unlocked.ark.duplicate(),
            generation: unlocked.generation,
            secret_key: unlocked.secret_key.duplicate(),
            ksf_profile: state.auth().map_or(unlocked.profile.ksf_profile, |auth| auth.profile),
        };
        let reply = seal_reply(&self.secrets, &self.exchange, added, &grant, &*ports.random);
        let reply = reply.map_err(AccountError::from)?;
        self.mailbox.send(session, PairingStep::Reply, reply.as_bytes()).await
    }
}

/// Appends the link, the same bytes again while a failure may pass by itself.
async fn append(
    ports: &Ports,
    api: &Api,
    unlocked: &mut Unlocked,
    session: &Session,
    link: Signed<AccountLink>,
) -> Result<(), AccountError> {
    let mut attempts = Attempts::new(ports);
    loop {
        match append_link(ports, api, unlocked, session, link.clone(), LinkParts::default()).await {
            Err(AccountError::Api(error)) => attempts.wait(error).await?,
            other => return other,
        }
    }
}
