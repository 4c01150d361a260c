//! How many connections there are, whose, and what each must do to stay.
//!
//! A connection costs memory and a descriptor before a byte of a request has come, and the HTTP library counts neither
//! addresses nor what a connection does after its first request. So every socket goes through [`Connections::enter`]
//! before HTTP or TLS sees it, and is wrapped in a [`Guarded`] that ends it from outside. Whoever comes always gets in
//! while there is a connection that has waited without a session: the one that has waited longest makes room, of the
//! address if that has too many, else of the busiest address. So a crowd pushes out itself, and its addresses share
//! what is left by how many they are. Connections on which a session was checked stay.

mod guarded;
mod link;
mod table;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::rt::net::TcpStream;

pub(crate) use guarded::{Guarded, PORTION, PORTION_IN_TLS};
pub(crate) use link::{DRAIN, Link, under_way};

use crate::app::App;
use crate::front::ConnectionRules;
use crate::limits::Limit;
use crate::peer::AddressKey;
use table::{Entered, Newcomer, Table};

/// All connections of a process.
pub(crate) struct Connections {
    app: Arc<App>,
    rules: ConnectionRules,
    table: Mutex<Table<Arc<Link>>>,
}

impl Connections {
    pub(crate) fn new(app: Arc<App>, rules: ConnectionRules) -> Arc<Self> {
        let ConnectionRules { all, of_address, .. } = rules;
        let table =
            Table::new(table::Sizes { all, reserved: ConnectionRules::LOCAL.min(all / 2), of_address });
        Arc::new(Self { app, rules, table: Mutex::new(table) })
    }

    /// Takes a socket in that is read in portions of so many bytes, at the cost of another connection if need be, or
    /// closes it: `None`.
    pub(crate) fn enter(self: &Arc<Self>, io: TcpStream, portion: usize) -> Option<Guarded<TcpStream>> {
        let peer = io.peer_addr().ok()?.ip().to_canonical();
        let newcomer = self.newcomer(peer);
        let link = Link::new(self.clone(), peer.into());
        let entered = self.with(|table| table.enter(newcomer, link.clone()));
        match entered {
            Ok(Entered { id, displaced }) => {
                link.settle(id);
                if let Some((link, limit)) = displaced {
                    link.end(limit);
                }
                Some(Guarded::new(io, link, portion))
            }
            Err(limit) => {
                self.note(limit, peer.into());
                None
            }
        }
    }

    fn newcomer(&self, peer: IpAddr) -> Newcomer {
        // Everybody's connections come from a proxy's address, and its health checks are not ours.
        match self.app.front.proxies.contains(peer) {
            true => Newcomer { address: None, local: false },
            false => Newcomer { address: Some(peer.into()), local: peer.is_loopback() },
        }
    }

    fn with<R>(&self, act: impl FnOnce(&mut Table<Arc<Link>>) -> R) -> R {
        act(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, limit: Limit, address: AddressKey) {
        self.app.note_limit(limit, address);
    }
}
