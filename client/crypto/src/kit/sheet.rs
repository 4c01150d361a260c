//! The lines of a sheet: `Name: value`, in any order, between lines of prose.

use lockstep_proto::hash::hash;
use lockstep_proto::ids::IdError;
use zeroize::Zeroizing;

use super::KitError;

/// Column at which values start.
const INDENT: usize = 14;

/// Crockford base32, as on the keys.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A sheet as it is shown.
pub(super) struct Sheet {
    pub(super) title: &'static str,
    pub(super) advice: &'static [&'static str],
    pub(super) fields: Vec<(&'static str, Zeroizing<String>)>,
}

impl Sheet {
    /// Title, advice and fields.
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let prose = std::iter::once(self.title).chain(self.advice.iter().copied());
        let mut text = Zeroizing::new(prose.collect::<Vec<_>>().join("\n"));
        text.push_str("\n\n");
        text.push_str(&self.fields_text());
        text
    }

    /// The fields alone, as the QR code holds them.
    pub(super) fn fields_text(&self) -> Zeroizing<String> {
        let length = self.fields.iter().map(|(name, value)| name.len() + INDENT + value.len() + 1).sum();
        let mut text = Zeroizing::new(String::with_capacity(length));
        for (name, value) in &self.fields {
            text.push_str(name);
            text.push(':');
            for _ in name.len() + 1..INDENT {
                text.push(' ');
            }
            text.push_str(value);
            text.push('\n');
        }
        text
    }
}

/// The lines of a text that somebody typed or scanned.
pub(super) struct Lines<'a>(&'a str);

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The value of a line, whatever the case of its name.
    pub(super) fn field(&self, name: &'static str) -> Result<&'a str, KitError> {
        let mut values = self.values(name);
        let value = values.next().ok_or(KitError::Missing(name))?;
        if values.next().is_some() { Err(KitError::Repeated(name)) } else { Ok(value) }
    }

    pub(super) fn has(&self, name: &'static str) -> bool {
        self.values(name).next().is_some()
    }

    /// The value of a line that holds an id.
    pub(super) fn id<T: std::str::FromStr<Err = IdError>>(&self, name: &'static str) -> Result<T, KitError> {
        self.field(name)?.parse().map_err(|source| KitError::Id { field: name, source })
    }

    /// Compares the `Check` line with what it must be.
    pub(super) fn verify(&self, expected: &str) -> Result<(), KitError> {
        let found: String = self.field("Check")?.chars().map(read_alike).collect();
        if found == expected { Ok(()) } else { Err(KitError::Check) }
    }

    fn values(&self, name: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        let lines = self.0.lines().filter_map(|line| line.split_once(':'));
        let matching = lines.filter(move |(label, _)| label.trim().eq_ignore_ascii_case(name));
        matching.map(|(_, value)| value.trim())
    }
}

/// Eight symbols: the first 40 bits of `H(label, fields)`.
pub(super) fn check_text(label: &str, fields: &[u8]) -> String {
    let hash = hash(label, &[fields]);
    let bits = hash.0[..5].iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
    (0..8).rev().map(|place| char::from(ALPHABET[(bits >> (5 * place)) as usize & 31])).collect()
}

fn read_alike(character: char) -> char {
    match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    }
}
