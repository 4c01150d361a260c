//! Who is asking.

use lockstep_proto::ids::{AccountId, DeviceId};

/// A caller whose session was checked: only [`crate::services::Sessions`] makes one (R-GATE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub(crate) account_id: AccountId,
    pub(crate) device_id: Option<DeviceId>,
}

impl Caller {
    /// The account.
    pub fn account_id(&self) -> AccountId {
        self.account_id
    }

    /// The device; `None` in an enrolment session.
    pub fn device_id(&self) -> Option<DeviceId> {
        self.device_id
    }
}
