//! Who is asking.

use lockstep_proto::ids::{AccountId, DeviceId, Hash};

/// How a caller proved itself; what it may do follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// By the key of an active device: reads and writes.
    Device(DeviceId),
    /// By password and Secret Key: reads, and brings one device in.
    Enrolment {
        /// Which session.
        token: Hash,
        /// The device that it brought in.
        added: Option<DeviceId>,
    },
    /// By the Recovery Key: reads, bars devices and recovers the account once.
    Recovery {
        /// Which session.
        token: Hash,
        /// Whether it has recovered the account; it only reads then.
        spent: bool,
    },
}

/// A caller whose session was checked: only [`crate::services::Sessions`] makes one (R-GATE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub(crate) account_id: AccountId,
    pub(crate) session: Session,
}

impl Caller {
    /// The account.
    pub fn account_id(&self) -> AccountId {
        self.account_id
    }

    /// How it proved itself.
    pub fn session(&self) -> Session {
        self.session
    }

    /// The device, in a device's session.
    pub fn device_id(&self) -> Option<DeviceId> {
        match self.session {
            Session::Device(device_id) => Some(device_id),
            Session::Enrolment { .. } | Session::Recovery { .. } => None,
        }
    }
}
