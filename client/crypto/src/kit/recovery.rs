//! The recovery sheet: takes the account back without password and Secret Key.

use lockstep_proto::canon::Encoder;
use lockstep_proto::ids::{AccountId, ServerId};
use zeroize::Zeroizing;

use super::sheet::{Lines, Sheet, check_text};
use super::{KitError, ServerUrl, encode_place, page};
use crate::recovery_key::RecoveryKey;

/// The sheet that holds the Recovery Key.
pub struct RecoverySheet {
    /// The Recovery Key.
    pub recovery_key: RecoveryKey,
    /// The account.
    pub account_id: AccountId,
    /// Where its server was when the sheet was printed.
    pub server_url: ServerUrl,
    /// Its server, whatever the address.
    pub server_id: ServerId,
}

impl RecoverySheet {
    /// The sheet as text. Reveals the Recovery Key.
    pub fn expose_text(&self) -> Zeroizing<String> {
        self.sheet().to_text()
    }

    /// The sheet as one printable page. Reveals the Recovery Key.
    ///
    /// # Errors
    /// [`KitError::Qr`].
    pub fn expose_svg(&self) -> Result<Zeroizing<String>, KitError> {
        page::draw(&self.sheet())
    }

    /// Reads the text, or what the QR code holds; lines that are no fields are skipped.
    ///
    /// # Errors
    /// [`KitError`], naming the line.
    pub fn parse(text: &str) -> Result<Self, KitError> {
        let lines = Lines::new(text);
        if lines.has("Secret Key") {
            return Err(KitError::OtherSheet("recovery sheet"));
        }
        let sheet = Self {
            recovery_key: RecoveryKey::parse(lines.field("Recovery Key")?)?,
            account_id: lines.id("Account")?,
            server_url: ServerUrl::new(lines.field("Server")?)?,
            server_id: lines.id("Server id")?,
        };
        lines.verify(&sheet.check())?;
        Ok(sheet)
    }

    /// `H("recovery-sheet", account_id ‖ u32 len ‖ server URL ‖ server_id)`; the Recovery Key has its own.
    fn check(&self) -> String {
        let mut fields = Encoder::new();
        encode_place(&mut fields, &self.account_id, &self.server_url, &self.server_id);
        check_text("recovery-sheet", &fields.into_bytes())
    }

    fn sheet(&self) -> Sheet {
        Sheet {
            title: "Lockstep Recovery Key",
            advice: &[
                "Keep this page apart from your devices and from the Emergency Kit.",
                "Whoever holds it can take over the account without password and Secret Key.",
                "You need it only if you have lost those.",
            ],
            fields: vec![
                ("Recovery Key", self.recovery_key.expose_text()),
                ("Account", Zeroizing::new(self.account_id.to_string())),
                ("Server", Zeroizing::new(self.server_url.as_str().to_owned())),
                ("Server id", Zeroizing::new(self.server_id.to_string())),
                ("Check", Zeroizing::new(self.check())),
            ],
        }
    }
}
