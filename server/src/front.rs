//! What the configuration says about whoever comes: believed, let in, and how much of each.

use crate::peer::TrustedProxies;
use crate::visitor::Hosts;

/// The rules between the sockets and the services. The default is a server that has no proxy before it.
#[derive(Debug, Clone, Default)]
pub struct Front {
    /// Who says truly for whom they forward.
    pub proxies: TrustedProxies,
    /// Under which names it is spoken to.
    pub hosts: Hosts,
}
