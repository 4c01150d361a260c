//! One-time codes by time (RFC 6238), and Steam's variant of them.

use std::borrow::Cow;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::base32;

const STEAM_LETTERS: &[u8; 26] = b"23456789BCDFGHJKMNPQRTVWXY";
/// Eight letters, the shortest secret that sites were seen to hand out. Less is a word typed into the wrong field.
const MIN_SECRET_BYTES: usize = 5;
/// From here on nobody takes a secret for words.
const SHORT_SECRET_BYTES: usize = 8;

/// Why no codes can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TotpError {
    /// No base32, or too little of it.
    #[error(
        "this is no one-time password secret: it must be at least 8 letters A-Z and digits 2-7, or an otpauth:// address"
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
    /// Reads a base32 secret, an `otpauth://totp/…` or `otpauth://steam/…` address or a `steam://…` secret, in the forms
    /// that other programs write: blanks and dashes of all kinds in the secret, parameters without a value, `HmacSHA1`,
    /// `period=30.0`, `encoder=steam`, `&amp;` for `&`.
    ///
    /// # Errors
    /// [`TotpError`], saying what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TotpError> {
        let text = text.trim_matches(base32::is_skipped);
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
        let address = address.split_once('#').map_or(address, |(before, _)| before);
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let kind = path.split_once('/').map_or(path, |(kind, _)| kind);
        let query = query.replace("&amp;", "&");
        // A parameter without a value is one that is not there.
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_empty())
                .map(|(_, value)| value)
        };
        let is_steam = kind.eq_ignore_ascii_case("steam")
            || parameter("encoder").is_some_and(|encoder| encoder.eq_ignore_ascii_case("steam"));
        if !is_steam && !kind.eq_ignore_ascii_case("totp") {
            return Err(TotpError::Kind);
        }
        let digits = parameter("digits").map_or(Some(6), |digits| whole(digits, 5, 10));
        let digits = digits.and_then(|digits| u32::try_from(digits).ok());
        let digits = digits.ok_or(TotpError::Parameter("digits"))?;
        let period_s = parameter("period").map_or(Some(30), |period| whole(period, 1, 86_400));
        let secret = read_secret(&decode_percent(parameter("secret").ok_or(TotpError::Secret)?))?;
        Ok(Self {
            secret,
            algorithm: parameter("algorithm").map_or(Ok(Algorithm::Sha1), read_algorithm)?,
            form: if is_steam { Form::Steam } else { Form::Digits(digits) },
            period_s: period_s.ok_or(TotpError::Parameter("period"))?,
        })
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
    let secret = base32::decode(text).filter(|secret| secret.len() >= MIN_SECRET_BYTES);
    let secret = secret.ok_or(TotpError::Secret)?;
    // A few letters in groups of different lengths are a remark ("no code yet"); sites write groups of one length.
    if secret.len() < SHORT_SECRET_BYTES && !is_evenly_grouped(text) {
        return Err(TotpError::Secret);
    }
    Ok(secret)
}

fn is_evenly_grouped(text: &str) -> bool {
    let letters = text.trim_end_matches('=');
    let groups = letters.split(base32::is_skipped).filter(|group| !group.is_empty());
    let lengths: Vec<usize> = groups.map(str::len).collect();
    let first = lengths.first().copied().unwrap_or_default();
    lengths.iter().rev().skip(1).all(|length| *length == first)
        && lengths.last().is_none_or(|last| *last <= first)
}

/// `SHA1`, `sha-256`, `HmacSHA512`.
fn read_algorithm(text: &str) -> Result<Algorithm, TotpError> {
    let plain: String =
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    match plain.strip_prefix("HMAC").unwrap_or(&plain) {
        "SHA1" => Ok(Algorithm::Sha1),
        "SHA256" => Ok(Algorithm::Sha256),
        "SHA512" => Ok(Algorithm::Sha512),
        _ => Err(TotpError::Parameter("algorithm")),
    }
}

/// A whole number within these bounds, also where a program wrote it with a fraction of zeros.
fn whole(text: &str, least: u64, most: u64) -> Option<u64> {
    let (number, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number = number.parse().ok().filter(|_| fraction.bytes().all(|digit| digit == b'0'))?;
    (least..=most).contains(&number).then_some(number)
}

/// A parameter's value: `%xx` as its byte, `+` as a blank. What is no text then is no secret either, and stays as it is.
fn decode_percent(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return text.into();
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let byte = match (first, after) {
            (b'%', [high, low, ..]) => {
                hex_digit(*high).zip(hex_digit(*low)).map(|(high, low)| high << 4 | low)
            }
            (b'+', _) => Some(b' '),
            _ => None,
        };
        bytes.push(byte.unwrap_or(*first));
        rest = if *first == b'%' && byte.is_some() { &after[2..] } else { after };
    }
    std::str::from_utf8(&bytes).map_or(text.into(), |decoded| decoded.to_owned().into())
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
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

    /// The code of a secret in another form is the code of the secret itself.
    #[test]
    fn secrets_are_read_as_other_programs_write_them() {
        let long = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
        let plain = |secret: &str| format!("otpauth://totp/x?secret={secret}");
        let rows = [
            ("jbsw-y3dp-ehpk-3pxp", plain("JBSWY3DPEHPK3PXP")),
            ("JBSW\u{a0}Y3DP\u{a0}EHPK\u{a0}3PXP", plain("JBSWY3DPEHPK3PXP")),
            ("JBSWY3DPEHPK3PXP\n", plain("JBSWY3DPEHPK3PXP")),
            ("JBSWY3DP\tEHPK3PXP", plain("JBSWY3DPEHPK3PXP")),
            ("JBSWY3DPEHPK3PXP\u{200b}", plain("JBSWY3DPEHPK3PXP")),
            ("\u{feff}otpauth://totp/x?secret=JBSWY3DPEHPK3PXP", plain("JBSWY3DPEHPK3PXP")),
            ("OTPAUTH://TOTP/x?SECRET=JBSWY3DPEHPK3PXP", plain("JBSWY3DPEHPK3PXP")),
            ("otpauth://totp/x?secret=JBSW%20Y3DP%20EHPK%203PXP", plain("JBSWY3DPEHPK3PXP")),
            ("otpauth://totp/x?secret=JBSW%C2%A0Y3DP%2dEHPK3PXP", plain("JBSWY3DPEHPK3PXP")),
            ("otpauth://totp/x?secret=JBSW+Y3DP+EHPK+3PXP", plain("JBSWY3DPEHPK3PXP")),
            ("otpauth://totp/x?secret=jbswy3dpehpk3pxp%3D%3D", plain("JBSWY3DPEHPK3PXP")),
            ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&period=30.0&digits=", plain("JBSWY3DPEHPK3PXP")),
            ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&period=&algorithm=", plain("JBSWY3DPEHPK3PXP")),
            ("otpauth://totp/x?issuer=a&secret=JBSWY3DPEHPK3PXP#frag", plain("JBSWY3DPEHPK3PXP")),
            ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&amp;digits=8", plain("JBSWY3DPEHPK3PXP&digits=8")),
            (
                "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&algorithm=HmacSHA512",
                plain("JBSWY3DPEHPK3PXP&algorithm=SHA512"),
            ),
            (
                "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&algorithm=sha-256",
                plain("JBSWY3DPEHPK3PXP&algorithm=SHA256"),
            ),
            ("otpauth://steam/x?secret=JBSWY3DPEHPK3PXP", "steam://JBSWY3DPEHPK3PXP".into()),
            ("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&encoder=steam", "steam://JBSWY3DPEHPK3PXP".into()),
            ("JBSWY3DP", plain("JBSWY3DP")),
            ("JBSW Y3DP EHPK", plain("JBSWY3DPEHPK")),
        ];
        for (written, meant) in rows {
            let code = |text: &str| Totp::parse(text).unwrap().code(1_700_000_000_000).code;
            assert_eq!(code(written), code(&meant), "{written}");
        }
        let fast =
            Totp::parse(&plain(&format!("{long}&digits=7&period=10"))).unwrap().code(1_700_000_003_000);
        assert_eq!((fast.code.len(), fast.remaining_ms, fast.period_ms), (7, 7_000, 10_000));
    }

    #[test]
    fn what_is_no_secret_is_refused_with_a_reason() {
        let refusal = |text: &str| Totp::parse(text).err();
        for garbage in [
            "not a secret",
            "no code yet",
            "",
            " ",
            "garbage",
            "JBSWY3D",
            "GEZDGNBVGY3TQOJ0",
            "key=JBSWY3DPEHPK3PXP",
            "6162636465666768696a",
            "motp://x?secret=JBSWY3DPEHPK3PXP",
            "otpauth-migration://offline?data=x",
            "otpauth://totp/x?secret=JBSW%",
            "otpauth://totp/x?secret=%FF%FF%FF%FF%FF%FF%FF%FF",
        ] {
            assert_eq!(refusal(garbage), Some(TotpError::Secret), "{garbage}");
        }
        assert_eq!(refusal("otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQ"), Some(TotpError::Kind));
        assert_eq!(refusal("otpauth://totpx/x?secret=GEZDGNBVGY3TQOJQ"), Some(TotpError::Kind));
        assert_eq!(refusal("otpauth://totp/x"), Some(TotpError::Secret));
        let with = |rest: &str| refusal(&format!("otpauth://totp/x?secret={SECRET}&{rest}"));
        for (name, values) in [
            ("digits", &["0", "4", "11", "six", "6.5", "-6"][..]),
            ("period", &["0", "86401", "30.5", "x", "99999999999999999999"]),
            ("algorithm", &["MD5", "SHA384", "HMAC"]),
        ] {
            for value in values {
                assert_eq!(with(&format!("{name}={value}")), Some(TotpError::Parameter(name)), "{value}");
            }
        }
    }
}
