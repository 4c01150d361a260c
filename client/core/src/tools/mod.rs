//! Small tools around items: one-time codes, generated passwords, comparing text, search, text fit to be shown.
//!
//! **Invariants:** pure; time and randomness are arguments; nothing here stores or sends anything.

mod base32;
mod fold;
mod generator;
mod plain;
mod search;
mod totp;

pub use fold::{NaturalOrder, fold};
pub use generator::{Classes, GeneratorError, Lookalikes, PasswordRecipe, make_passphrase, make_password};
pub(crate) use plain::cleaned;
pub use plain::{clean, clean_line, is_hidden};
pub use search::{Query, in_tag, search};
pub use totp::{Totp, TotpCode, TotpError};
