//! Pairing: mailboxes through which an approving device and a new one talk. In memory, per process; the server understands
//! none of what is in them.
//!
//! **Invariants:** a mailbox ends at its time, whatever happens, and its name is taken until then; a message is written
//! once; only the device that opened a mailbox writes other messages than the offer; all mailboxes together, those of an
//! account and those of a device are bounded.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockstep_proto::api::pairing::{
    OpenPairing, PAIRING_MESSAGE_LIMIT, PAIRING_SECONDS, PAIRING_WAIT_SECONDS, PairingOpened,
    PairingReceived, PairingStep, RENDEZVOUS_LENGTH, ReceivePairing, SendPairing,
};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{AccountId, DeviceId};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::caller::Caller;
use crate::limits::AddressKey;
use crate::ports::Clock;

/// Why a mailbox is not opened, written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// There is no such mailbox, or it has ended.
    #[error("there is no such pairing")]
    Unknown,
    /// The name is taken, or the message is there with other bytes.
    #[error("the pairing has gone on already")]
    Taken,
    /// Another device opened it.
    #[error("another device opened the pairing")]
    Foreign,
    /// The name has another length, or the message is one that is sent otherwise.
    #[error("it names no mailbox or no message")]
    Format,
    /// The message is empty or above its limit.
    #[error("the message is empty or above its limit")]
    Size,
    /// Too many are open, of this device, of this account, or of all.
    #[error("too many pairings are open")]
    TooMany,
}

/// Mailboxes of one device.
const PER_DEVICE: usize = 2;
/// Mailboxes of one account.
const PER_ACCOUNT: usize = 8;
/// Mailboxes of one address: a crowd that would fill them all needs many, and accounts.
const PER_ADDRESS: usize = 32;
/// Mailboxes of all; with [`HELD_LIMIT`] what they hold.
const CAPACITY: usize = 2_048;
/// Bytes in all mailboxes together.
const HELD_LIMIT: usize = 64 << 20;
/// Readers of one mailbox that wait at once; whoever comes beyond is answered at once.
const READERS: usize = 8;

type Name = [u8; RENDEZVOUS_LENGTH];

/// The service.
pub struct Pairing {
    clock: Arc<dyn Clock>,
    mailboxes: Mutex<HashMap<Name, Mailbox>>,
}

struct Mailbox {
    opener: (AccountId, DeviceId),
    address: AddressKey,
    expires_ms: u64,
    messages: BTreeMap<PairingStep, Bytes>,
    readers: Arc<()>,
    written: Arc<Notify>,
}

impl Pairing {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, mailboxes: Mutex::default() }
    }

    /// Opens a mailbox with its first message. The same again by the same device answers the same.
    ///
    /// # Errors
    /// [`PairingError`].
    pub fn open(
        &self,
        caller: Caller,
        request: &OpenPairing,
        address: AddressKey,
    ) -> Result<PairingOpened, PairingError> {
        let device_id = caller.device_id().ok_or(PairingError::Foreign)?;
        let (name, opener) = (name(&request.rendezvous)?, (caller.account_id, device_id));
        check_size(&request.invitation)?;
        let now_ms = self.clock.now_ms();
        let mut mailboxes = self.lock();
        mailboxes.retain(|_, mailbox| now_ms < mailbox.expires_ms);
        if let Some(known) = mailboxes.get(&name) {
            let same = known.opener == opener
                && known.messages.get(&PairingStep::Invitation) == Some(&request.invitation);
            let opened = PairingOpened { expires_ms: known.expires_ms };
            return if same { Ok(opened) } else { Err(PairingError::Taken) };
        }
        let of = |is: &dyn Fn(&Mailbox) -> bool| mailboxes.values().filter(|mailbox| is(mailbox)).count();
        if mailboxes.len() >= CAPACITY
            || of(&|mailbox| mailbox.opener == opener) >= PER_DEVICE
            || of(&|mailbox| mailbox.opener.0 == opener.0) >= PER_ACCOUNT
            || of(&|mailbox| mailbox.address == address) >= PER_ADDRESS
            || held(&mailboxes) + request.invitation.len() > HELD_LIMIT
        {
            return Err(PairingError::TooMany);
        }
        let expires_ms = now_ms.saturating_add(u64::from(PAIRING_SECONDS) * 1_000);
        let messages = BTreeMap::from([(PairingStep::Invitation, request.invitation.clone())]);
        let mailbox = Mailbox {
            opener,
            address,
            expires_ms,
            messages,
            readers: Arc::default(),
            written: Arc::default(),
        };
        mailboxes.insert(name, mailbox);
        Ok(PairingOpened { expires_ms })
    }

    /// Writes a message: the offer by anybody who knows the name, the others by the device that opened the mailbox. The
    /// same bytes again answer the same.
    ///
    /// # Errors
    /// [`PairingError`].
    pub fn send(&self, caller: Option<Caller>, request: &SendPairing) -> Result<(), PairingError> {
        let name = name(&request.rendezvous)?;
        if request.step == PairingStep::Invitation {
            return Err(PairingError::Format);
        }
        check_size(&request.message)?;
        let mut mailboxes = self.lock();
        let now_ms = self.clock.now_ms();
        mailboxes.retain(|_, mailbox| now_ms < mailbox.expires_ms);
        let full = held(&mailboxes) + request.message.len() > HELD_LIMIT;
        let mailbox = self.find(&mut mailboxes, &name)?;
        let caller = caller.and_then(|caller| Some((caller.account_id, caller.device_id()?)));
        if request.step != PairingStep::Offer && caller != Some(mailbox.opener) {
            return Err(PairingError::Foreign);
        }
        match mailbox.messages.get(&request.step) {
            Some(known) if *known == request.message => return Ok(()),
            Some(_) => return Err(PairingError::Taken),
            None if full => return Err(PairingError::TooMany),
            None => {}
        }
        mailbox.messages.insert(request.step, request.message.clone());
        mailbox.written.notify_waiters();
        Ok(())
    }

    /// Reads a message; waits for it for [`PAIRING_WAIT_SECONDS`] at most.
    ///
    /// # Errors
    /// [`PairingError::Unknown`], at once; [`PairingError::Format`].
    pub async fn receive(&self, request: &ReceivePairing) -> Result<PairingReceived, PairingError> {
        let name = name(&request.rendezvous)?;
        let until = Instant::now() + Duration::from_secs(u64::from(PAIRING_WAIT_SECONDS));
        let (written, _reader) = {
            let mut mailboxes = self.lock();
            let mailbox = self.find(&mut mailboxes, &name)?;
            let message = mailbox.messages.get(&request.step).cloned();
            if message.is_some() || Arc::strong_count(&mailbox.readers) > READERS {
                return Ok(PairingReceived { message });
            }
            (mailbox.written.clone(), mailbox.readers.clone())
        };
        loop {
            // Whoever writes from here on is heard.
            let mut next = std::pin::pin!(written.notified());
            next.as_mut().enable();
            let message = self.find(&mut self.lock(), &name)?.messages.get(&request.step).cloned();
            if message.is_some() || timeout_at(until, next).await.is_err() {
                return Ok(PairingReceived { message });
            }
        }
    }

    fn find<'a>(
        &self,
        mailboxes: &'a mut HashMap<Name, Mailbox>,
        name: &Name,
    ) -> Result<&'a mut Mailbox, PairingError> {
        let now_ms = self.clock.now_ms();
        mailboxes.get_mut(name).filter(|mailbox| now_ms < mailbox.expires_ms).ok_or(PairingError::Unknown)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Mailbox>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(rendezvous: &Bytes) -> Result<Name, PairingError> {
    rendezvous.0.as_slice().try_into().map_err(|_| PairingError::Format)
}

fn check_size(message: &Bytes) -> Result<(), PairingError> {
    let fits = !message.is_empty() && message.len() <= PAIRING_MESSAGE_LIMIT;
    if fits { Ok(()) } else { Err(PairingError::Size) }
}

fn held(mailboxes: &HashMap<Name, Mailbox>) -> usize {
    mailboxes.values().flat_map(|mailbox| mailbox.messages.values()).map(|message| message.len()).sum()
}

#[cfg(test)]
mod tests;
