//! Pulls an account's log and verifies every link before anything of it is used.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::api::account::{LogPage, LogQuery, SlotsQuery};
use lockstep_proto::ids::{AccountId, Hash};
use lockstep_proto::log::{AccountLink, AccountState, LinkError};
use lockstep_proto::sign::Signed;
use lockstep_proto::wrap::slot_hash;

use super::error::AccountError;
use crate::api::{Api, ApiError, Garbage, TokenSource};

/// A log as far as the server gives it, and the links that were new.
pub(super) struct Pulled {
    pub(super) state: AccountState,
    pub(super) links: Vec<Signed<AccountLink>>,
}

/// Pulls what follows `known`, or the whole log. Memory is bounded by what an honest account's devices signed: every
/// link is verified as it comes.
pub(super) async fn pull_log(
    api: &Api,
    tokens: &dyn TokenSource,
    account_id: &AccountId,
    known: Option<&AccountState>,
) -> Result<Pulled, AccountError> {
    let mut state = known.cloned();
    let mut links = Vec::new();
    loop {
        let after = state.as_ref().map(|state| state.head().seq);
        let page = api.account_log(tokens, &LogQuery { after }).await?;
        if let Some(state) = &state {
            refuse_older(state, &page)?;
        }
        for wire in &page.links {
            let link = Signed::from_wire(wire)?;
            state = Some(next(state.as_ref(), &link, account_id)?);
            links.push(link);
        }
        if page.more && page.links.is_empty() {
            return Err(garbage());
        }
        if !page.more {
            let state = state.ok_or_else(garbage)?;
            return if state.head() == page.head {
                Ok(Pulled { state, links })
            } else {
                Err(unfinished(&state, &page))
            };
        }
    }
}

/// The slots that `state` names and `known` does not have, as far as the server has them. Every one of them matches its hash.
/// What is missing is missed by who needs it, and keeps nobody from anything else: who signs a link need not have given its
/// slots to the server.
pub(super) async fn pull_slots(
    api: &Api,
    tokens: &dyn TokenSource,
    state: &AccountState,
    known: &BTreeSet<Hash>,
) -> Result<BTreeMap<Hash, Vec<u8>>, AccountError> {
    let wanted: BTreeSet<Hash> = state.slot_hashes().difference(known).copied().collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let served =
        api.account_slots(tokens, &SlotsQuery::default()).await?.slots.into_iter().map(|slot| slot.bytes.0);
    let served: BTreeMap<Hash, Vec<u8>> =
        served.map(|slot| (slot_hash(&slot), slot)).filter(|(hash, _)| wanted.contains(hash)).collect();
    Ok(served)
}

fn next(
    state: Option<&AccountState>,
    link: &Signed<AccountLink>,
    account_id: &AccountId,
) -> Result<AccountState, AccountError> {
    let Some(state) = state else {
        let state = AccountState::from_genesis(link)?;
        return if state.account_id() == *account_id || lockstep_proto::seeded!("account-id-unchecked") {
            Ok(state)
        } else {
            Err(AccountError::OtherAccount)
        };
    };
    state.apply(link).map_err(|error| match error {
        LinkError::Chain { expected, found } if expected == found => {
            AccountError::Diverged { at: state.head().seq }
        }
        other => other.into(),
    })
}

/// A head at or below ours must be ours.
fn refuse_older(state: &AccountState, page: &LogPage) -> Result<(), AccountError> {
    let pinned = state.head();
    if page.head.seq > pinned.seq {
        return Ok(());
    }
    if lockstep_proto::seeded!("older-account-log-accepted") {
        return Ok(());
    }
    if state.hash_at(page.head.seq) != Some(page.head.hash) {
        return Err(AccountError::Diverged { at: page.head.seq });
    }
    if page.head.seq < pinned.seq {
        return Err(AccountError::Behind { server: page.head.seq, pinned: pinned.seq });
    }
    Ok(())
}

/// The links given do not end at the head that came with them.
fn unfinished(state: &AccountState, page: &LogPage) -> AccountError {
    if page.head.seq > state.head().seq {
        AccountError::Withheld { head: page.head }
    } else {
        AccountError::Diverged { at: page.head.seq }
    }
}

pub(super) fn garbage() -> AccountError {
    ApiError::Garbage { status: 200, what: Garbage::Body, retry_after: None }.into()
}
