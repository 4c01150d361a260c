//! What the configuration says about whoever comes: believed, let in, and how much of each.

use std::time::Duration;

use lockstep_domain::limits::RequestRates;
use lockstep_domain::store::AccountLimits;

use crate::budget::{BodyMemory, Pace};
use crate::connections::ConnectionRules;
use crate::peer::TrustedProxies;
use crate::visitor::Hosts;

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
