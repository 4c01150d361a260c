//! The address to listen on.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::report::Report;
use crate::config::Config;
use crate::health::health;

const ADDRESS: &str = "address";

/// Whether a server runs there, or could. Nobody is kept from listening but for the moment in which nobody does.
pub(super) fn check(config: &Config, report: &mut Report) {
    let address = config.listen;
    let Err(unwell) = health(config) else {
        report.fine(ADDRESS, format!("a server runs on {address} and is well"));
        return;
    };
    match TcpListener::bind(address) {
        Ok(_) => report.fine(ADDRESS, format!("{address} is free; no server runs there")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => report.mend(
            ADDRESS,
            format!(
                "{address} is taken, and not by a server that is well ({unwell:#}): look at its log, or listen elsewhere"
            ),
        ),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => report.mend(
            ADDRESS,
            format!("this user may not listen on {address}: take a port above 1023, and a proxy in front"),
        ),
        Err(error) => report.mend(
            ADDRESS,
            format!("nobody can listen on {address} ({error}): name an address of this machine as listen"),
        ),
    }
}
