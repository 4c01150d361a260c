//! Which links a session may append. Who may sign what is the verifier's business; here it is who may send it.

use lockstep_proto::ids::{DeviceId, Hash};
use lockstep_proto::log::{AccountLink, LinkBody, Signer};
use lockstep_proto::sign::Signed;

use crate::caller::{Caller, Session};

/// That a session may append certain links.
pub(super) struct Permit {
    session: Session,
    added: Option<DeviceId>,
}

/// - A device's session appends what this device signed, and what the Recovery Key signed.
/// - An enrolment session brings one device in, by the enrolment key, and appends auth_updates that this device signed.
/// - A recovery session appends one link that the Recovery Key signed, by itself.
pub(super) fn of(caller: Caller, links: &[Signed<AccountLink>]) -> Option<Permit> {
    let links = links.iter().map(Signed::value);
    let session = caller.session;
    match session {
        Session::Device(device_id) => {
            let mut links = links;
            links
                .all(|link| {
                    matches!(link.signer, Signer::Recovery) || link.signer == Signer::Device(device_id)
                })
                .then_some(Permit { session, added: None })
        }
        Session::Enrolment { added, .. } => enrolment(links, added).map(|added| Permit { session, added }),
        Session::Recovery { .. } => {
            let mut links = links;
            let is_its = |link: &AccountLink| link.signer == Signer::Recovery;
            let only = links.next().is_some_and(is_its) && links.next().is_none();
            only.then_some(Permit { session, added: None })
        }
    }
}

/// The device that these links, or the ones before, bring in.
fn enrolment<'a>(
    links: impl Iterator<Item = &'a AccountLink>,
    mut added: Option<DeviceId>,
) -> Option<Option<DeviceId>> {
    for link in links {
        match (link.signer, &link.body) {
            (Signer::Enrolment, LinkBody::DeviceAdd(add)) => {
                let device_id = add.keys.device_id();
                if added.is_some_and(|added| added != device_id) {
                    return None;
                }
                added = Some(device_id);
            }
            (Signer::Device(device_id), LinkBody::AuthUpdate(_)) if added == Some(device_id) => {}
            _ => return None,
        }
    }
    Some(added)
}

impl Permit {
    /// `None` where the session has done already what it may do once.
    pub(super) fn check_unspent(&self) -> Option<()> {
        (!matches!(self.session, Session::Recovery { spent: true, .. })).then_some(())
    }

    /// The session that remembers what it did.
    pub(super) fn token(&self) -> Option<Hash> {
        match self.session {
            Session::Device(_) => None,
            Session::Enrolment { token, .. } | Session::Recovery { token, .. } => Some(token),
        }
    }

    /// The device that an enrolment session brings in.
    pub(super) fn added(&self) -> Option<DeviceId> {
        self.added
    }
}
