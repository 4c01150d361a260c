//! What must be true whatever the server does.
//!
//! - (1) `secrets`: nothing planted and no key can be read in anything that was sent, stored or logged.
//! - (2) `seals`: nothing sealed that was sent opens with a key of the adversary's.
//! - (3) `shown`: all that is shown was written by a device that was in the account, and not after its removal.
//! - (4) `shown`: pins never go back.
//! - (5) `shown`: after a sync a device shows what the truth is at its head.
//! - (6) `requests.rs`: requests do not tell what failed.
//! - (7) `end`: with the honest server back all converge, and nothing is lost.
//! - (8) `evidence`: who was led to a branch holds evidence that convinces without it, and nobody else is framed.

mod end;
mod evidence;
mod fails;
mod seals;
mod secrets;
mod shown;

use std::collections::{BTreeMap, BTreeSet};

use lockstep_proto::wrap::SlotKind;

pub(crate) use end::at_the_end;
pub(crate) use shown::{Shown, Truth};

use super::logged;
use super::script::Act;
use super::sealed::Places;
use super::world::World;

/// What is wrong, and where.
pub(crate) type Verdict = Result<(), String>;

/// How far what was sent, stored and logged has been looked through.
#[derive(Default)]
pub(crate) struct Search {
    requests: usize,
    logged: usize,
    /// By length, beginning and end.
    stored: BTreeSet<(usize, Vec<u8>)>,
    sent: BTreeSet<(String, Vec<u8>)>,
    places: Places,
    /// How many slots of each kind the account's own root keys opened: the contexts are the right ones.
    pub(crate) opened: BTreeMap<SlotKind, usize>,
}

impl Search {
    /// The same for a copy of the world, which sends and logs anew.
    pub(crate) fn restarted(&self) -> Self {
        Self {
            requests: 0,
            logged: logged::end(),
            stored: self.stored.clone(),
            sent: BTreeSet::new(),
            places: self.places.clone(),
            opened: self.opened.clone(),
        }
    }
}

/// Looks at everything after an act that ended like this.
pub(crate) async fn after_each(world: &mut World, act: Option<Act>, outcome: &str) -> Verdict {
    secrets::gather(world).await;
    let requests = world.plot.requests_from(world.search.requests);
    world.search.requests += requests.len();
    seals::look(world, &requests)?;
    secrets::look(world, &requests, outcome)?;
    shown::look(world).await?;
    shown::compare_with_truth(world, act, outcome.is_empty()).await?;
    evidence::nobody_is_framed(world).await
}
