//! What the account's password signs before devices are barred: nobody else keeps the others from writing.

use crate::canon::{Canon, CanonError, Decoder, Encoder};
use crate::ids::{AccountId, DeviceId, ServerId};
use crate::log::{ALL_DEVICES_LIMIT, LogHead};
use crate::sign::Structure;

/// That these devices are to stop writing, by whoever removes them. It names the head that the removing link follows, so
/// that it is worth nothing once the log has moved on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarStatement {
    /// The server that is asked.
    pub server_id: ServerId,
    /// The account.
    pub account_id: AccountId,
    /// The device that asks.
    pub device_id: DeviceId,
    /// The head of the account's log.
    pub head: LogHead,
    /// The devices, ascending.
    pub devices: Vec<DeviceId>,
}

impl Structure for BarStatement {
    const LABEL: &'static str = "bar-devices";
    const HASH_LABEL: &'static str = "bar-devices-hash";
    const LIMIT: usize = 256 + 16 * ALL_DEVICES_LIMIT;
}

impl Canon for BarStatement {
    fn encode(&self, out: &mut Encoder) {
        self.server_id.encode(out);
        self.account_id.encode(out);
        self.device_id.encode(out);
        self.head.encode(out);
        out.list(&self.devices);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self {
            server_id: Canon::decode(input)?,
            account_id: Canon::decode(input)?,
            device_id: Canon::decode(input)?,
            head: Canon::decode(input)?,
            devices: input.sorted_list("devices", ALL_DEVICES_LIMIT, |id: &DeviceId| *id)?,
        })
    }
}
