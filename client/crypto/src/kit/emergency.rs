//! The Emergency Kit: what a new device needs besides the password.

use lockstep_proto::canon::{Canon as _, Encoder};
use lockstep_proto::ids::{AccountId, ServerId};
use lockstep_proto::signin::KsfProfile;
use zeroize::Zeroizing;

use super::sheet::{Lines, Sheet, check_text};
use super::{KitError, ServerUrl, encode_place, page};
use crate::secret_key::SecretKey;

/// The Emergency Kit.
pub struct EmergencyKit {
    /// The Secret Key.
    pub secret_key: SecretKey,
    /// The account.
    pub account_id: AccountId,
    /// Where its server was when the kit was printed.
    pub server_url: ServerUrl,
    /// Its server, whatever the address.
    pub server_id: ServerId,
    /// The key-stretching profile below which no server may go (R-KDF).
    pub ksf_profile: KsfProfile,
}

impl EmergencyKit {
    /// The kit as text. Reveals the Secret Key.
    pub fn expose_text(&self) -> Zeroizing<String> {
        self.sheet().to_text()
    }

    /// The kit as one printable page. Reveals the Secret Key.
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
        if lines.has("Recovery Key") {
            return Err(KitError::OtherSheet("Emergency Kit"));
        }
        let profile: u16 = lines.field("KSF profile")?.parse().map_err(|_| KitError::Profile)?;
        let kit = Self {
            secret_key: SecretKey::parse(lines.field("Secret Key")?)?,
            account_id: lines.id("Account")?,
            server_url: ServerUrl::new(lines.field("Server")?)?,
            server_id: lines.id("Server id")?,
            ksf_profile: KsfProfile::try_from(profile).map_err(KitError::UpdateNeeded)?,
        };
        lines.verify(&kit.check())?;
        Ok(kit)
    }

    /// `H("emergency-kit", account_id ‖ u32 len ‖ server URL ‖ server_id ‖ profile)`; the Secret Key has its own.
    fn check(&self) -> String {
        let mut fields = Encoder::new();
        encode_place(&mut fields, &self.account_id, &self.server_url, &self.server_id);
        self.ksf_profile.encode(&mut fields);
        check_text("emergency-kit", &fields.into_bytes())
    }

    fn sheet(&self) -> Sheet {
        Sheet {
            title: "Lockstep Emergency Kit",
            advice: &[
                "Print this page and keep it where you keep your passport.",
                "With it and your password you can sign in on a new device.",
                "Without it nobody can, not even you.",
                "Your password is not on it: do not write it here.",
            ],
            fields: vec![
                ("Secret Key", self.secret_key.expose_text()),
                ("Account", Zeroizing::new(self.account_id.to_string())),
                ("Server", Zeroizing::new(self.server_url.as_str().to_owned())),
                ("Server id", Zeroizing::new(self.server_id.to_string())),
                ("KSF profile", Zeroizing::new(u16::from(self.ksf_profile).to_string())),
                ("Check", Zeroizing::new(self.check())),
            ],
        }
    }
}
