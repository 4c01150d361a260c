//! Calls about the mailbox through which two devices pair.

use lockstep_proto::api::pairing::{
    OpenPairing, PairingOpened, PairingReceived, PairingSent, ReceivePairing, SendPairing,
};

use super::client::{Api, Call, TokenSource};
use super::error::ApiError;

impl Api {
    /// Opens a mailbox with its first message. Idempotent for the same bytes.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn open_pairing(
        &self,
        tokens: &dyn TokenSource,
        body: &OpenPairing,
    ) -> Result<PairingOpened, ApiError> {
        self.call(tokens, Call::post("/v1/pairing", body)?).await
    }

    /// Writes a message of the device that opened the mailbox. Idempotent for the same bytes.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn send_pairing(
        &self,
        tokens: &dyn TokenSource,
        body: &SendPairing,
    ) -> Result<PairingSent, ApiError> {
        self.call(tokens, Call::post("/v1/pairing/send", body)?).await
    }

    /// Writes the new device's offer, which needs no session. Idempotent for the same bytes.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn offer_pairing(&self, body: &SendPairing) -> Result<PairingSent, ApiError> {
        self.open_call(Call::post("/v1/pairing/send", body)?).await
    }

    /// Reads a message, if it is there; the server waits for it a little.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn receive_pairing(&self, body: &ReceivePairing) -> Result<PairingReceived, ApiError> {
        self.open_call(Call::post("/v1/pairing/receive", body)?).await
    }
}
