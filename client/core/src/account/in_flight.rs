//! The one link of this device that waits for the server (R-ONCE): durable before it is sent, sent as it is until it
//! is accepted, found in the log, or overtaken.

use std::collections::BTreeMap;

use lockstep_proto::api::account::{AppendLinks, Appended, BarDevices};
use lockstep_proto::api::{ErrorCode, SLOT_LIMIT, SLOTS_PER_REQUEST};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{DeviceId, Hash, Seq};
use lockstep_proto::log::{AccountLink, ENTRY_LIMIT, LinkBody, LogHead, Signer, VaultHead};
use lockstep_proto::sign::{Signature, Signed};
use lockstep_proto::wrap::slot_hash;

use super::error::AccountError;
use super::log_sync::{install, own_link, pull_account};
use super::profile::{LINK_IN_FLIGHT, OPAQUE_RECORD, ProfileError};
use super::registration::NewRecord;
use super::unlocked::Unlocked;
use crate::api::{Api, ApiError, Garbage, TokenSource};
use crate::ports::{Batch, Ports, Table};

const FORMAT: u16 = 3;
/// An OPAQUE record, sealed or not, at most.
const RECORD_LIMIT: usize = 4_096;
/// A link on the wire.
const WIRE_LIMIT: usize = ENTRY_LIMIT + Signed::<AccountLink>::WIRE_EXTRA;

/// What a link names and the server lacks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkParts {
    /// Slots.
    pub slots: Vec<Vec<u8>>,
    /// The OPAQUE record, where it is a new one.
    pub record: Option<NewRecord>,
    /// The signature of the password or the Recovery Key by which the devices that it removes are barred.
    pub bars: Option<Signature>,
}

impl LinkParts {
    /// Slots, and no record.
    pub fn of_slots(slots: Vec<Vec<u8>>) -> Self {
        Self { slots, record: None, bars: None }
    }
}

/// A link and what it names.
#[derive(PartialEq, Eq)]
struct InFlight {
    link: Signed<AccountLink>,
    parts: LinkParts,
}

impl Canon for InFlight {
    fn encode(&self, out: &mut Encoder) {
        let LinkParts { slots, record, bars } = &self.parts;
        out.u16(FORMAT);
        out.bytes(&self.link.to_wire());
        out.u32(u32::try_from(slots.len()).unwrap_or(u32::MAX));
        for slot in slots {
            out.bytes(slot);
        }
        out.bool(record.is_some());
        if let Some(record) = record {
            out.bytes(&record.upload);
            out.bytes(&record.kept);
        }
        out.bool(bars.is_some());
        if let Some(bars) = bars {
            out.fixed(&bars.0);
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let format = input.u16()?;
        if format != FORMAT {
            return Err(CanonError::UpdateNeeded { field: "link in flight", value: u32::from(format) });
        }
        let link = Signed::from_wire(input.bytes(WIRE_LIMIT)?)?;
        let count = usize::try_from(input.u32()?).unwrap_or(usize::MAX);
        if count > SLOTS_PER_REQUEST {
            return Err(CanonError::TooLong { found: count, limit: SLOTS_PER_REQUEST });
        }
        let slots = (0..count).map(|_| input.bytes(SLOT_LIMIT).map(<[u8]>::to_vec));
        let slots = slots.collect::<Result<_, _>>()?;
        let record = match input.bool()? {
            true => Some(NewRecord {
                upload: input.bytes(RECORD_LIMIT)?.to_vec(),
                kept: input.bytes(RECORD_LIMIT)?.to_vec(),
            }),
            false => None,
        };
        let bars = if input.bool()? { Some(Signature(input.fixed()?)) } else { None };
        Ok(Self { link, parts: LinkParts { slots, record, bars } })
    }
}

/// Appends one link of this device to the account's log, with what it names. The link is stored before it is
/// sent; after a crash or without an answer [`resume_link`] goes on with the same bytes.
///
/// # Errors
/// [`AccountError::LinkInFlight`] while another link waits; [`AccountError::LinkOvertaken`] when the log had moved on
/// (it was pulled; make a new link); [`AccountError::CutOffPassed`] for a revocation that the server refuses because a
/// device it revokes wrote meanwhile: it waits until that commit is here; [`AccountError::Link`] for a link that breaks a rule, of which nothing is stored;
/// [`AccountError::Api`] leaves the link waiting.
pub async fn append_link(
    ports: &Ports,
    api: &Api,
    unlocked: &mut Unlocked,
    tokens: &dyn TokenSource,
    link: Signed<AccountLink>,
    parts: LinkParts,
) -> Result<(), AccountError> {
    append_link_with(ports, (api, tokens), unlocked, link, parts, Batch::new()).await
}

/// [`append_link`], with `batch` in the same local write as the link: what must not be lost once it is sent.
///
/// # Errors
/// As [`append_link`].
pub(crate) async fn append_link_with(
    ports: &Ports,
    (api, tokens): (&Api, &dyn TokenSource),
    unlocked: &mut Unlocked,
    link: Signed<AccountLink>,
    parts: LinkParts,
    batch: Batch,
) -> Result<(), AccountError> {
    let waiting = read(ports, unlocked).await?;
    let in_flight = InFlight { link, parts };
    if waiting.is_some_and(|waiting| waiting != in_flight) {
        return Err(AccountError::LinkInFlight);
    }
    unlocked.state.apply(&in_flight.link)?;
    write(ports, unlocked, &in_flight, batch).await?;
    send(ports, api, unlocked, tokens, in_flight).await
}

/// Goes on with a link that waits, if one does. To be called before a new link is made, and first in every sync.
///
/// # Errors
/// As [`append_link`].
pub async fn resume_link(
    ports: &Ports,
    api: &Api,
    unlocked: &mut Unlocked,
    tokens: &dyn TokenSource,
) -> Result<(), AccountError> {
    let Some(in_flight) = read(ports, unlocked).await? else { return Ok(()) };
    let seq = in_flight.link.value().seq;
    if unlocked.state.head().seq >= seq {
        return settle(ports, unlocked, &in_flight).await;
    }
    send(ports, api, unlocked, tokens, in_flight).await
}

async fn send(
    ports: &Ports,
    api: &Api,
    unlocked: &mut Unlocked,
    tokens: &dyn TokenSource,
    in_flight: InFlight,
) -> Result<(), AccountError> {
    match post(api, tokens, &in_flight).await {
        Ok(appended) if appended.head.hash == in_flight.link.hash() => {
            accept(ports, unlocked, in_flight).await
        }
        Ok(_) => Err(ApiError::Garbage { status: 200, what: Garbage::Body, retry_after: None }.into()),
        Err(error) if error.code() == Some(ErrorCode::HeadMoved) => {
            pull_account(ports, api, unlocked, tokens).await?;
            settle(ports, unlocked, &in_flight).await
        }
        Err(error) if error.code() == Some(ErrorCode::NotBarred) => Err(AccountError::CutOffPassed),
        Err(error) if error.code() == Some(ErrorCode::NoVault) => Err(AccountError::VaultNotThere),
        Err(error) if error.code() == Some(ErrorCode::HeadMissing) && accepts(&in_flight.link) => {
            // The server was restored once more. What it has now is looked at anew.
            give_up_link(ports).await?;
            Err(AccountError::LinkOvertaken)
        }
        Err(error) if error.code() == Some(ErrorCode::RecoveryTooEarly) && confirms(&in_flight.link) => {
            // It would keep a removal from being signed for days: it is signed anew when its week is over.
            give_up_link(ports).await?;
            let seconds = error.problem().and_then(|problem| problem.retry_after_seconds).unwrap_or_default();
            Err(AccountError::RecoveryTooEarly { seconds })
        }
        Err(error) => Err(error.into()),
    }
}

/// Sends the link; one that revokes devices whose bars have ended once more, after they were barred again.
async fn post(api: &Api, tokens: &dyn TokenSource, in_flight: &InFlight) -> Result<Appended, ApiError> {
    let LinkParts { slots, record, bars } = &in_flight.parts;
    let body = AppendLinks {
        links: vec![in_flight.link.to_body()],
        slots: slots.iter().cloned().map(Bytes).collect(),
        record: record.as_ref().map(|record| Bytes(record.upload.clone())),
    };
    let sent = api.append_links(tokens, &body).await;
    match sent {
        Err(error) if error.code() == Some(ErrorCode::NotBarred) => {
            api.bar_devices(tokens, &bars_of(in_flight.link.value(), *bars)).await?;
            api.append_links(tokens, &body).await
        }
        sent => sent,
    }
}

/// The only link that accepts heads.
fn accepts(link: &Signed<AccountLink>) -> bool {
    matches!(link.value().body, LinkBody::Reanchor(_))
}

/// The only link that a server may call too early.
fn confirms(link: &Signed<AccountLink>) -> bool {
    matches!(link.value().body, LinkBody::RecoveryChange(_)) && link.value().signer != Signer::Recovery
}

/// What bars the devices that a link revokes.
fn bars_of(link: &AccountLink, signature: Option<Signature>) -> BarDevices {
    let before = LogHead { seq: Seq(link.seq.0.saturating_sub(1)), hash: link.prev_hash };
    BarDevices { devices: link.body.revoked().to_vec(), head: signature.map(|_| before), signature }
}

/// The cut-offs of the link that waits, if it revokes devices: which, and the last commit of every vault that counts.
///
/// # Errors
/// [`ProfileError`] where the record is damaged.
pub(crate) async fn waiting_cut_offs(
    ports: &Ports,
    unlocked: &Unlocked,
) -> Result<Option<(Vec<DeviceId>, Vec<VaultHead>)>, ProfileError> {
    let waiting = read(ports, unlocked).await?;
    let cut_offs = waiting.map(|waiting| {
        let link = waiting.link.value();
        (link.body.revoked().to_vec(), link.heads.clone())
    });
    Ok(cut_offs.filter(|(revoked, _)| !revoked.is_empty()))
}

/// The link that waits.
///
/// # Errors
/// [`ProfileError`] where the record is damaged.
pub(super) async fn waiting_link(ports: &Ports, unlocked: &Unlocked) -> Result<Option<Hash>, ProfileError> {
    Ok(read(ports, unlocked).await?.map(|waiting| waiting.link.hash()))
}

/// Whether the link that waits is a recovery.
///
/// # Errors
/// [`ProfileError`] where the record is damaged.
pub(crate) async fn recovery_waits(ports: &Ports, unlocked: &Unlocked) -> Result<bool, ProfileError> {
    let waiting = read(ports, unlocked).await?;
    Ok(waiting.is_some_and(|waiting| matches!(waiting.link.value().body, LinkBody::Recover(_))))
}

/// Gives up a link that can never be valid: a device that it revokes has written beyond its cut-off, in a commit that
/// this device has pinned.
///
/// # Errors
/// [`ProfileError::Store`].
pub(crate) async fn give_up_link(ports: &Ports) -> Result<(), ProfileError> {
    Ok(ports.store.write(ended(None)).await?)
}

/// The server has it: one write makes it part of the known log and ends the wait.
async fn accept(ports: &Ports, unlocked: &mut Unlocked, in_flight: InFlight) -> Result<(), AccountError> {
    let InFlight { link, parts: LinkParts { slots, record, .. } } = in_flight;
    let pulled = own_link(&unlocked.state, link)?;
    let slots: BTreeMap<_, _> = slots.into_iter().map(|slot| (slot_hash(&slot), slot)).collect();
    install(ports, unlocked, pulled, &slots, ended(record.as_ref())).await
}

/// The known log is beyond the link's position: it holds the link, or another one in its place.
async fn settle(ports: &Ports, unlocked: &Unlocked, in_flight: &InFlight) -> Result<(), AccountError> {
    let there = unlocked.state.hash_at(in_flight.link.value().seq);
    if there.is_none() {
        return Err(AccountError::Withheld { head: unlocked.state.head() });
    }
    let landed = there == Some(in_flight.link.hash());
    let record = in_flight.parts.record.as_ref().filter(|_| landed);
    ports.store.write(ended(record)).await?;
    if landed { Ok(()) } else { Err(AccountError::LinkOvertaken) }
}

/// Nothing waits any more; the record of a link that landed is kept.
fn ended(record: Option<&NewRecord>) -> Batch {
    let mut batch = Batch::new();
    batch.delete(Table::Profile, LINK_IN_FLIGHT);
    if let Some(record) = record {
        batch.put(Table::Profile, OPAQUE_RECORD, record.kept.clone());
    }
    batch
}

async fn read(ports: &Ports, unlocked: &Unlocked) -> Result<Option<InFlight>, ProfileError> {
    let Some(sealed) = ports.store.read(Table::Profile, LINK_IN_FLIGHT).await? else { return Ok(None) };
    let damaged = || ProfileError::Damaged("the link that waits");
    let bytes = unlocked.sealer().open(Table::Profile, LINK_IN_FLIGHT, &sealed).map_err(|_| damaged())?;
    canon::from_bytes(&bytes).map(Some).map_err(|_| damaged())
}

async fn write(
    ports: &Ports,
    unlocked: &Unlocked,
    in_flight: &InFlight,
    mut batch: Batch,
) -> Result<(), ProfileError> {
    let sealed = unlocked.sealer().seal(Table::Profile, LINK_IN_FLIGHT, &canon::to_bytes(in_flight));
    batch.put(
        Table::Profile,
        LINK_IN_FLIGHT,
        sealed.map_err(|_| ProfileError::Damaged("the link that waits is too large"))?,
    );
    Ok(ports.store.write(batch).await?)
}
