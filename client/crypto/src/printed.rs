//! Keys as a person copies them: Crockford base32 in groups of five, with check symbols.
//!
//! Each part is a codeword of a shortened Reed-Solomon code over GF(32) (x⁵ + x² + 1, generator
//! (x − α)(x − α²)(x − α³)(x − α⁴)): data symbols, then four check symbols, the last XORed with the part's number so
//! that parts and kinds of keys cannot stand in for each other. Any up to four wrong symbols in a part are always
//! detected, so every typo and every swap is. Frozen: `secret_key.json`.

use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Symbols per printed group.
const GROUP: usize = 5;

/// Check symbols per part.
const CHECKS: usize = 4;

/// What a printed kind of key looks like.
pub(crate) struct Shape {
    /// What the text starts with; three characters.
    pub(crate) prefix: &'static str,
    /// The other kind's prefix, for a clear error.
    pub(crate) other_prefix: &'static str,
    /// The number of each part's codeword.
    pub(crate) parts: &'static [u8],
    /// Data symbols of each part.
    pub(crate) data_symbols: usize,
    /// Bits of each part.
    pub(crate) bits: u32,
}

/// Why a typed key is not one. Nothing in it reveals what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrintedKeyError {
    /// Characters are missing or too many.
    #[error("this key has {found} characters instead of {expected}: compare it with the sheet")]
    Length {
        /// Characters found, dashes and prefix not counted.
        found: usize,
        /// Characters expected.
        expected: usize,
    },
    /// A character that never stands in a key.
    #[error("character {position} never stands in such a key: compare it with the sheet")]
    Character {
        /// Position, from 1, dashes and spaces not counted.
        position: usize,
    },
    /// The text starts with the other kind's prefix: a Secret Key where a Recovery Key is asked for, or the reverse.
    #[error("this is the other key: the Secret Key starts with LS1, the Recovery Key with LR1")]
    OtherKind,
    /// The text does not start as this kind of key does.
    #[error("this key does not start with {0}")]
    Prefix(&'static str),
    /// There is a typo.
    #[error("there is a typo in groups {first_group} to {last_group}: compare them with the sheet")]
    Typo {
        /// The first group that may hold it, from 1, the prefix not counted.
        first_group: usize,
        /// The last one.
        last_group: usize,
    },
}

impl Shape {
    fn part_symbols(&self) -> usize {
        self.data_symbols + CHECKS
    }

    fn symbols(&self) -> usize {
        self.part_symbols() * self.parts.len()
    }

    /// Prints the values of the parts, each of [`Shape::bits`] bits.
    pub(crate) fn print(&self, values: &[Zeroizing<u128>]) -> Zeroizing<String> {
        let length = self.prefix.len() + self.symbols() + self.symbols().div_ceil(GROUP);
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(self.prefix);
        let symbols = values.iter().zip(self.parts).flat_map(|(value, part)| self.encode(**value, *part));
        for (position, symbol) in symbols.enumerate() {
            if position % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(symbol)]));
        }
        text
    }

    /// Reads what [`Shape::print`] wrote; forgiving about case, dashes, spaces, O for 0, I and L for 1, and a missing
    /// prefix.
    pub(crate) fn parse(&self, text: &str) -> Result<Vec<Zeroizing<u128>>, PrintedKeyError> {
        let all = read_symbols(text)?;
        let other = read_symbols(self.other_prefix)?;
        let prefix = read_symbols(self.prefix)?;
        let symbols = match all.len().checked_sub(self.symbols()) {
            _ if all.len() > self.symbols() && all.starts_with(&prefix) => &all[prefix.len()..],
            _ if all.len() != self.symbols() && all.starts_with(&other) => {
                return Err(PrintedKeyError::OtherKind);
            }
            Some(extra) if extra == prefix.len() => return Err(PrintedKeyError::Prefix(self.prefix)),
            _ => &all[..],
        };
        if symbols.len() != self.symbols() {
            return Err(PrintedKeyError::Length { found: symbols.len(), expected: self.symbols() });
        }
        let parts = symbols.chunks(self.part_symbols()).zip(self.parts).enumerate();
        parts.map(|(index, (part, number))| self.decode(index, part, *number)).collect()
    }

    fn encode(&self, value: u128, part: u8) -> impl Iterator<Item = u8> + use<> {
        let count = self.data_symbols;
        let mut symbols = Zeroizing::new(Vec::with_capacity(self.part_symbols()));
        symbols.extend((0..count).rev().map(|place| symbol_at(value, place)));
        let checks = check_symbols(&symbols, part);
        symbols.extend_from_slice(&checks);
        (0..symbols.len()).map(move |index| symbols[index])
    }

    fn decode(&self, index: usize, symbols: &[u8], part: u8) -> Result<Zeroizing<u128>, PrintedKeyError> {
        let groups = self.part_symbols() / GROUP;
        let typo =
            PrintedKeyError::Typo { first_group: index * groups + 1, last_group: (index + 1) * groups };
        let (data, checks) = symbols.split_at(self.data_symbols);
        let surplus_bits = self.data_symbols * 5 - self.bits as usize;
        let first_is_small = u32::from(data[0]) >> (5 - surplus_bits) == 0;
        let correct = check_symbols(data, part) == checks || lockstep_proto::seeded!("typo-unnoticed");
        if !correct || !first_is_small {
            return Err(typo);
        }
        Ok(Zeroizing::new(data.iter().fold(0, |value, symbol| (value << 5) | u128::from(*symbol))))
    }
}

fn symbol_at(value: u128, place: usize) -> u8 {
    // The mask keeps five bits, so the cast loses nothing.
    ((value >> (5 * place)) & 31) as u8
}

fn read_symbols(text: &str) -> Result<Zeroizing<Vec<u8>>, PrintedKeyError> {
    let mut symbols = Zeroizing::new(Vec::with_capacity(text.len()));
    for character in text.chars().filter(|character| !is_separator(*character)) {
        let symbol =
            read_symbol(character).ok_or(PrintedKeyError::Character { position: symbols.len() + 1 })?;
        symbols.push(symbol);
    }
    Ok(symbols)
}

fn is_separator(character: char) -> bool {
    character.is_whitespace() || matches!(character, '-' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn read_symbol(character: char) -> Option<u8> {
    let upper = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let position = ALPHABET.iter().position(|letter| char::from(*letter) == upper)?;
    u8::try_from(position).ok()
}

/// The coefficients of (x − α)(x − α²)(x − α³)(x − α⁴) below x⁴, highest first.
const GENERATOR: [u8; CHECKS] = generator();

const fn generator() -> [u8; CHECKS] {
    let mut polynomial = [0, 0, 0, 0, 1];
    let mut root = 1;
    let mut degree = 0;
    while degree < CHECKS {
        root = multiply(root, 2);
        let mut place = 0;
        while place < CHECKS {
            polynomial[place] = polynomial[place + 1] ^ multiply(polynomial[place], root);
            place += 1;
        }
        polynomial[CHECKS] = multiply(polynomial[CHECKS], root);
        degree += 1;
    }
    [polynomial[1], polynomial[2], polynomial[3], polynomial[4]]
}

/// Multiplication in GF(32) modulo x⁵ + x² + 1.
const fn multiply(left: u8, right: u8) -> u8 {
    let mut product = 0;
    let mut shifted = left;
    let mut bit = 0;
    while bit < 5 {
        product ^= shifted * ((right >> bit) & 1);
        shifted = (shifted << 1) ^ (0b10_0101 * (shifted >> 4));
        bit += 1;
    }
    product
}

fn check_symbols(data: &[u8], part: u8) -> [u8; CHECKS] {
    let mut remainder = [0; CHECKS];
    for symbol in data {
        let factor = symbol ^ remainder[0];
        remainder.rotate_left(1);
        remainder[CHECKS - 1] = 0;
        for (place, coefficient) in remainder.iter_mut().zip(GENERATOR) {
            *place ^= multiply(factor, coefficient);
        }
    }
    remainder[CHECKS - 1] ^= part;
    remainder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_has_32_elements_and_2_generates_it() {
        let mut seen = [false; 32];
        let mut power = 1;
        for _ in 0..31 {
            assert!(!seen[usize::from(power)]);
            seen[usize::from(power)] = true;
            power = multiply(power, 2);
        }
        assert_eq!(power, 1);
    }

    #[test]
    fn codewords_vanish_at_the_generators_roots() {
        let data: Vec<u8> = (0..26).map(|i| (i * 7 + 3) % 32).collect();
        let word = [&data[..], &check_symbols(&data, 0)].concat();
        let mut root = 1;
        for _ in 0..CHECKS {
            root = multiply(root, 2);
            assert_eq!(word.iter().fold(0, |sum, symbol| multiply(sum, root) ^ symbol), 0);
        }
    }
}
