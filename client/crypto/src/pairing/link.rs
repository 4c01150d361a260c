//! The pairing link: what the QR code holds, `lockstep://pair#CODE@SERVER`. All of it stands in the fragment, which
//! nothing that follows the link sends anywhere.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use zeroize::Zeroizing;

use super::{PairingCode, PairingMessageError};
use crate::kit::{KitError, ServerUrl};

const START: &str = "lockstep://pair#";

/// A pairing code and where its mailbox is.
pub struct PairingLink {
    /// The code.
    pub code: PairingCode,
    /// The server's address.
    pub server_url: ServerUrl,
}

impl PairingLink {
    /// Reads a link.
    ///
    /// # Errors
    /// [`PairingMessageError::Link`] or [`PairingMessageError::Code`].
    pub fn parse(text: &str) -> Result<Self, PairingMessageError> {
        let fragment = text.trim().strip_prefix(START).ok_or(PairingMessageError::Link)?;
        let (code, server_url) = fragment.split_once('@').ok_or(PairingMessageError::Link)?;
        let server_url = ServerUrl::new(server_url).map_err(|_| PairingMessageError::Link)?;
        Ok(Self { code: PairingCode::parse(code)?, server_url })
    }

    /// The link as text.
    pub fn expose_text(&self) -> Zeroizing<String> {
        let (code, url) = (self.code.expose_text(), self.server_url.as_str());
        let mut text = Zeroizing::new(String::with_capacity(START.len() + code.len() + 1 + url.len()));
        for part in [START, code.as_str(), "@", url] {
            text.push_str(part);
        }
        text
    }

    /// The link as a QR code of half blocks, two modules to a character, dark ones drawn, with a margin.
    ///
    /// # Errors
    /// [`KitError::Qr`] where it is too long for one.
    pub fn expose_qr(&self) -> Result<Zeroizing<String>, KitError> {
        let text = self.expose_text();
        let qr =
            QrCode::with_error_correction_level(text.as_bytes(), EcLevel::L).map_err(|_| KitError::Qr)?;
        Ok(Zeroizing::new(qr.render::<Dense1x2>().quiet_zone(true).build()))
    }
}
