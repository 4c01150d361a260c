//! Logins.

use super::{Passkey, Uri, field, in_order};
use crate::item::document::Document;

/// A login.
#[derive(Debug, Clone, Copy)]
pub struct Login<'d>(&'d Document);

impl<'d> Login<'d> {
    /// Views a document as a login, whatever its kind.
    pub fn of(document: &'d Document) -> Self {
        Self(document)
    }

    /// The user name.
    pub fn username(&self) -> Option<&'d str> {
        self.0.text(field::USERNAME)
    }

    /// The password.
    pub fn password(&self) -> Option<&'d str> {
        self.0.text(field::PASSWORD)
    }

    /// The TOTP secret or `otpauth://` address, as it was typed.
    pub fn totp(&self) -> Option<&'d str> {
        self.0.text(field::TOTP)
    }

    /// The addresses with their ids, in their owner's order.
    pub fn uris(&self) -> Vec<(&'d str, Uri)> {
        in_order(self.0.list(field::URIS), Uri::read)
    }

    /// The passkeys with their ids, in their owner's order.
    pub fn passkeys(&self) -> Vec<(&'d str, Passkey)> {
        in_order(self.0.list(field::PASSKEYS), Passkey::read)
    }
}
