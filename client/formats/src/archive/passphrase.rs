//! The passphrase of an archive.

use age::secrecy::SecretString;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// What an archive is sealed to; never empty. Has no `Debug`, and is wiped when it is dropped.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// A passphrase, every character of which counts; `None` for an empty one.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What is sealed to: the NFC form, in which keyboards give accented letters, so that the passphrase is the same
    /// wherever it is typed, and the program `age` takes it, too.
    pub(super) fn to_sealing(&self) -> SecretString {
        SecretString::from(self.composed().as_str())
    }

    /// What may open a file, likeliest first: the NFC form, then what was typed, since other programs seal to that.
    pub(super) fn to_opening(&self) -> Vec<SecretString> {
        let composed = self.composed();
        let typed = (*composed != *self.0).then(|| SecretString::from(self.0.as_str()));
        std::iter::once(SecretString::from(composed.as_str())).chain(typed).collect()
    }

    fn composed(&self) -> Zeroizing<String> {
        // Composing makes no text longer than three times its bytes (UAX #15), so the buffer does not move.
        let mut composed = Zeroizing::new(String::with_capacity(3 * self.0.len()));
        composed.extend(self.0.nfc());
        composed
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_passphrase_is_composed_and_what_was_typed_is_tried_after() {
        let forms = |text: &str| {
            let passphrase = Passphrase::new(text).unwrap();
            let sealing = passphrase.to_sealing().expose_secret().to_owned();
            let opening = passphrase.to_opening();
            assert_eq!(opening[0].expose_secret(), sealing);
            opening.iter().map(|form| form.expose_secret().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(forms("ü 1"), ["ü 1"]);
        assert_eq!(forms("u\u{308} 1"), ["ü 1", "u\u{308} 1"]);
        assert_eq!(forms(" spaces count "), [" spaces count "]);
        assert!(Passphrase::new("").is_none());
    }
}
