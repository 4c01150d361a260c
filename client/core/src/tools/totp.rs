//! One-time codes by time (RFC 6238), and Steam's variant of them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::base32;

const STEAM_LETTERS: &[u8; 26] = b"23456789BCDFGHJKMNPQRTVWXY";
/// Fewer bits than any site hands out: a word typed into the wrong field.
const MIN_SECRET_BYTES: usize = 8;

/// Why no codes can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TotpError {
    /// No base32, or too little of it.
    #[error(
        "this is no one-time password secret: it must be at least 13 letters A-Z and digits 2-7, or an otpauth:// address"
    )]
    Secret,
    /// An address of codes by counter, or another kind.
    #[error("this otpauth:// address is not for codes by time, the only ones Lockstep makes")]
    Kind,
    /// Digits, period or algorithm that do not exist.
    #[error("the {0} in this otpauth:// address is not one that exists")]
    Parameter(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Digits(u32),
    Steam,
}

/// What codes are made from. Wiped when dropped.
#[derive(Clone)]
pub struct Totp {
    secret: Zeroizing<Vec<u8>>,
    algorithm: Algorithm,
    form: Form,
    period_s: u64,
}

/// A code and how long it holds.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpCode {
    /// The code as it is typed.
    pub code: String,
    /// Milliseconds until the next one.
    pub remaining_ms: u64,
    /// Milliseconds that each code holds.
    pub period_ms: u64,
}

impl Totp {
    /// Reads a base32 secret, an `otpauth://totp/…` address or a `steam://…` secret.
    ///
    /// # Errors
    /// [`TotpError`], saying what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TotpError> {
        let text = text.trim();
        if let Some(address) = strip_prefix_ignoring_case(text, "otpauth://") {
            return Self::parse_address(address);
        }
        let (secret, form) = match strip_prefix_ignoring_case(text, "steam://") {
            Some(secret) => (secret, Form::Steam),
            None => (text, Form::Digits(6)),
        };
        Ok(Self { secret: read_secret(secret)?, algorithm: Algorithm::Sha1, form, period_s: 30 })
    }

    /// The code at a time, milliseconds since 1970.
    pub fn code(&self, now_ms: u64) -> TotpCode {
        let period_ms = self.period_s * 1_000;
        let code = self.at_step(now_ms / period_ms);
        TotpCode { code, remaining_ms: period_ms - now_ms % period_ms, period_ms }
    }

    fn parse_address(address: &str) -> Result<Self, TotpError> {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        if strip_prefix_ignoring_case(path, "totp").is_none() {
            return Err(TotpError::Kind);
        }
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let algorithm = match parameter("algorithm").map(str::to_ascii_uppercase).as_deref() {
            None | Some("SHA1" | "SHA-1") => Algorithm::Sha1,
            Some("SHA256" | "SHA-256") => Algorithm::Sha256,
            Some("SHA512" | "SHA-512") => Algorithm::Sha512,
            Some(_) => return Err(TotpError::Parameter("algorithm")),
        };
        let digits: u32 =
            parameter("digits").map_or(Ok(6), str::parse).map_err(|_| TotpError::Parameter("digits"))?;
        let period_s: u64 =
            parameter("period").map_or(Ok(30), str::parse).map_err(|_| TotpError::Parameter("period"))?;
        if !(5..=10).contains(&digits) {
            return Err(TotpError::Parameter("digits"));
        }
        if !(1..=86_400).contains(&period_s) {
            return Err(TotpError::Parameter("period"));
        }
        let secret = parameter("secret").ok_or(TotpError::Secret)?;
        let secret = read_secret(&secret.replace("%3D", "=").replace("%3d", "=").replace("%20", " "))?;
        Ok(Self { secret, algorithm, form: Form::Digits(digits), period_s })
    }

    /// RFC 4226 §5.3 over the step's number.
    fn at_step(&self, step: u64) -> String {
        let mac = self.mac(step);
        let offset = mac.last().map_or(0, |last| usize::from(last & 0x0f));
        let mut number =
            mac[offset..offset + 4].iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        number &= 0x7fff_ffff;
        match self.form {
            Form::Digits(digits) => {
                let code = u64::from(number) % 10_u64.pow(digits);
                format!("{code:0width$}", width = digits as usize)
            }
            Form::Steam => (0..5)
                .map(|_| {
                    let letter = STEAM_LETTERS[number as usize % STEAM_LETTERS.len()];
                    number /= STEAM_LETTERS.len() as u32;
                    char::from(letter)
                })
                .collect(),
        }
    }

    fn mac(&self, step: u64) -> Vec<u8> {
        let message = step.to_be_bytes();
        macro_rules! hmac {
            ($hash:ty) => {
                Hmac::<$hash>::new_from_slice(&self.secret)
                    .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
                    .unwrap_or_else(|_| vec![0; 20])
            };
        }
        match self.algorithm {
            Algorithm::Sha1 => hmac!(Sha1),
            Algorithm::Sha256 => hmac!(Sha256),
            Algorithm::Sha512 => hmac!(Sha512),
        }
    }
}

fn read_secret(text: &str) -> Result<Zeroizing<Vec<u8>>, TotpError> {
    base32::decode(text).filter(|secret| secret.len() >= MIN_SECRET_BYTES).ok_or(TotpError::Secret)
}

fn strip_prefix_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    if head.eq_ignore_ascii_case(prefix) { text.get(prefix.len()..) } else { None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn the_vectors_of_rfc_6238_hold() {
        let address = |secret: &str, algorithm: &str| {
            Totp::parse(&format!("otpauth://totp/x?secret={secret}&digits=8&algorithm={algorithm}")).unwrap()
        };
        let long = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNA";
        let sha256 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA";
        let rows = [
            (59, ["94287082", "46119246", "90693936"]),
            (1_111_111_109, ["07081804", "68084774", "25091201"]),
            (1_111_111_111, ["14050471", "67062674", "99943326"]),
            (1_234_567_890, ["89005924", "91819424", "93441116"]),
            (2_000_000_000, ["69279037", "90698825", "38618901"]),
            (20_000_000_000, ["65353130", "77737706", "47863826"]),
        ];
        for (seconds, [sha1, sha2, sha5]) in rows {
            let now_ms = seconds * 1_000;
            assert_eq!(address(SECRET, "SHA1").code(now_ms).code, sha1);
            assert_eq!(address(sha256, "sha256").code(now_ms).code, sha2);
            assert_eq!(address(long, "SHA512").code(now_ms).code, sha5);
        }
    }

    #[test]
    fn a_bare_secret_gives_six_digits_for_thirty_seconds() {
        let code = Totp::parse("gezd gnbv gy3t qojq gezd gnbv gy3t qojq").unwrap().code(59_000);
        assert_eq!((code.code.as_str(), code.remaining_ms, code.period_ms), ("287082", 1_000, 30_000));
    }

    #[test]
    fn steam_codes_have_five_letters() {
        let code = Totp::parse(&format!("steam://{SECRET}")).unwrap().code(59_000).code;
        assert!(code.len() == 5 && code.bytes().all(|letter| STEAM_LETTERS.contains(&letter)));
    }

    #[test]
    fn what_is_no_secret_is_refused_with_a_reason() {
        let refusal = |text: &str| Totp::parse(text).err();
        assert_eq!(refusal("not a secret"), Some(TotpError::Secret));
        assert_eq!(refusal(""), Some(TotpError::Secret));
        assert_eq!(refusal("otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQ"), Some(TotpError::Kind));
        assert_eq!(refusal("otpauth://totp/x"), Some(TotpError::Secret));
        let with = |rest: &str| refusal(&format!("otpauth://totp/x?secret={SECRET}&{rest}"));
        assert_eq!(with("digits=0"), Some(TotpError::Parameter("digits")));
        assert_eq!(with("period=0"), Some(TotpError::Parameter("period")));
        assert_eq!(with("algorithm=MD5"), Some(TotpError::Parameter("algorithm")));
    }
}
