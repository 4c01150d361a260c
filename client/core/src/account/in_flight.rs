//! The one link of this device that waits for the server (R-ONCE): durable before it is sent, sent as it is until it
//! is accepted, found in the log, or overtaken.

use std::collections::BTreeMap;

use lockstep_proto::api::account::AppendLinks;
use lockstep_proto::api::{ErrorCode, SLOT_LIMIT, SLOTS_PER_REQUEST};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::log::{AccountLink, ENTRY_LIMIT};
use lockstep_proto::sign::Signed;
use lockstep_proto::wrap::slot_hash;

use super::error::AccountError;
use super::log_sync::{install, own_link, pull_account};
use super::profile::{LINK_IN_FLIGHT, ProfileError};
use super::unlocked::Unlocked;
use crate::api::{Api, ApiError, Garbage, TokenSource};
use crate::ports::{Batch, Ports, Table};

const FORMAT: u16 = 1;
/// A link on the wire: its signed bytes, their length, the signature.
const WIRE_LIMIT: usize = ENTRY_LIMIT + 4 + 64;

/// A link and the slots it names.
struct InFlight {
    link: Signed<AccountLink>,
    slots: Vec<Vec<u8>>,
}

impl Canon for InFlight {
    fn encode(&self, out: &mut Encoder) {
        out.u16(FORMAT);
        out.bytes(&self.link.to_wire());
        out.u32(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        for slot in &self.slots {
            out.bytes(slot);
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
        Ok(Self { link, slots: slots.collect::<Result<_, _>>()? })
    }
}

/// Appends one link of this device to the account's log, with the slots it names. The link is stored before it is
/// sent; after a crash or without an answer [`resume_link`] goes on with the same bytes.
///
/// # Errors
/// [`AccountError::LinkInFlight`] while another link waits; [`AccountError::LinkOvertaken`] when the log had moved on
/// (it was pulled; make a new link); [`AccountError::Link`] for a link that breaks a rule, of which nothing is stored;
/// [`AccountError::Api`] leaves the link waiting.
pub async fn append_link(
    ports: &Ports,
    api: &Api,
    unlocked: &mut Unlocked,
    tokens: &dyn TokenSource,
    link: Signed<AccountLink>,
    slots: Vec<Vec<u8>>,
) -> Result<(), AccountError> {
    let waiting = read(ports, unlocked).await?;
    if waiting.is_some_and(|waiting| waiting.link != link || waiting.slots != slots) {
        return Err(AccountError::LinkInFlight);
    }
    unlocked.state.apply(&link)?;
    let in_flight = InFlight { link, slots };
    write(ports, unlocked, &in_flight).await?;
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
    let slots = in_flight.slots.iter().cloned().map(Bytes).collect();
    let body = AppendLinks { links: vec![in_flight.link.to_body()], slots, record: None };
    match api.append_links(tokens, &body).await {
        Ok(appended) if appended.head.hash == in_flight.link.hash() => {
            accept(ports, unlocked, in_flight).await
        }
        Ok(_) => Err(ApiError::Garbage { status: 200, what: Garbage::Body, retry_after: None }.into()),
        Err(error) if error.code() == Some(ErrorCode::HeadMoved) => {
            pull_account(ports, api, unlocked, tokens).await?;
            settle(ports, unlocked, &in_flight).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The server has it: one write makes it part of the known log and ends the wait.
async fn accept(ports: &Ports, unlocked: &mut Unlocked, in_flight: InFlight) -> Result<(), AccountError> {
    let pulled = own_link(&unlocked.state, in_flight.link)?;
    let slots: BTreeMap<_, _> = in_flight.slots.into_iter().map(|slot| (slot_hash(&slot), slot)).collect();
    install(ports, unlocked, pulled, &slots, ended()).await
}

/// The known log is beyond the link's position: it holds the link, or another one in its place.
async fn settle(ports: &Ports, unlocked: &Unlocked, in_flight: &InFlight) -> Result<(), AccountError> {
    let there = unlocked.state.hash_at(in_flight.link.value().seq);
    if there.is_none() {
        return Err(AccountError::Withheld { head: unlocked.state.head() });
    }
    ports.store.write(ended()).await?;
    if there == Some(in_flight.link.hash()) { Ok(()) } else { Err(AccountError::LinkOvertaken) }
}

fn ended() -> Batch {
    let mut batch = Batch::new();
    batch.delete(Table::Profile, LINK_IN_FLIGHT);
    batch
}

async fn read(ports: &Ports, unlocked: &Unlocked) -> Result<Option<InFlight>, ProfileError> {
    let Some(sealed) = ports.store.read(Table::Profile, LINK_IN_FLIGHT).await? else { return Ok(None) };
    let damaged = || ProfileError::Damaged("the link that waits");
    let bytes = unlocked.sealer().open(Table::Profile, LINK_IN_FLIGHT, &sealed).map_err(|_| damaged())?;
    canon::from_bytes(&bytes).map(Some).map_err(|_| damaged())
}

async fn write(ports: &Ports, unlocked: &Unlocked, in_flight: &InFlight) -> Result<(), ProfileError> {
    let sealed = unlocked.sealer().seal(Table::Profile, LINK_IN_FLIGHT, &canon::to_bytes(in_flight));
    let mut batch = Batch::new();
    batch.put(
        Table::Profile,
        LINK_IN_FLIGHT,
        sealed.map_err(|_| ProfileError::Damaged("the link that waits is too large"))?,
    );
    Ok(ports.store.write(batch).await?)
}
