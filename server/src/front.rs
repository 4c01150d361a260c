//! What the configuration says about whoever comes: believed, let in, and how much of each.

use std::time::Duration;

use lockstep_domain::limits::RequestRates;
use lockstep_domain::store::AccountLimits;

use crate::budget::{BodyMemory, Pace};
use crate::hosts::Hosts;
use crate::peer::TrustedProxies;

/// The rules between the sockets and the services. The default has the defaults of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Front {
    /// Who says truly for whom they forward.
    pub proxies: TrustedProxies,
    /// How often anybody may ask.
    pub rates: RequestRates,
    /// What one account may hold.
    pub account: AccountLimits,
    /// Under which names it is spoken to.
    pub hosts: Hosts,
    /// How many connections there are, and what each must do.
    pub connections: ConnectionRules,
    /// How much memory bodies take.
    pub bodies: BodyMemory,
    /// How fast they come.
    pub pace: Pace,
}

impl Default for Pace {
    fn default() -> Self {
        Self { first: Duration::from_secs(15), rate: 1_024, whole: Duration::from_secs(600) }
    }
}

/// How many connections there are, and what each must do to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionRules {
    /// How many there are at once.
    pub all: usize,
    /// How many of one address, unless it is a trusted proxy's.
    pub of_address: usize,
    /// How long one may be without a request under way: until the first, and after each.
    pub head: Duration,
}

impl Default for ConnectionRules {
    fn default() -> Self {
        Self { all: 1_024, of_address: 64, head: Duration::from_secs(15) }
    }
}

impl ConnectionRules {
    /// How many places only connections from this machine get: health checks of a container or a supervisor.
    pub(crate) const LOCAL: usize = 8;
    /// The least with which a household works.
    pub(crate) const LEAST: usize = 2 * Self::LOCAL;
}
