//! Secrets that are looked for in bytes, in every form in which they could stand there.

use std::collections::{BTreeSet, HashMap};

use lockstep_proto::bytes::to_base64url;

/// Shorter ones would be found by chance.
const SHORTEST: usize = 8;

/// What is looked for: raw, as hexadecimal digits, and in both alphabets of base64 wherever in a longer text.
#[derive(Clone)]
pub(crate) struct Needles {
    known: BTreeSet<Vec<u8>>,
    /// Whether anything begins with these two bytes.
    begins: Vec<bool>,
    by_start: HashMap<[u8; 4], Vec<Vec<u8>>>,
}

impl Default for Needles {
    fn default() -> Self {
        Self { known: BTreeSet::new(), begins: vec![false; 1 << 16], by_start: HashMap::new() }
    }
}

impl Needles {
    /// One more.
    pub(crate) fn add(&mut self, secret: &[u8]) {
        if secret.len() < SHORTEST || !self.known.insert(secret.to_vec()) {
            return;
        }
        for form in forms(secret) {
            let start = [form[0], form[1], form[2], form[3]];
            self.begins[usize::from(form[0]) << 8 | usize::from(form[1])] = true;
            self.by_start.entry(start).or_default().push(form);
        }
    }

    /// The first of them that stands in these bytes.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Option<&[u8]> {
        let pairs = bytes.iter().zip(bytes.iter().skip(1)).enumerate();
        for (at, (first, second)) in pairs {
            if !self.begins[usize::from(*first) << 8 | usize::from(*second)] {
                continue;
            }
            let rest = &bytes[at..];
            let forms = rest.first_chunk::<4>().and_then(|start| self.by_start.get(start));
            if let Some(form) = forms.into_iter().flatten().find(|form| rest.starts_with(form)) {
                return Some(form);
            }
        }
        None
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}

fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for offset in 0..3 {
        let url = to_base64url(&[&[0; 2][..offset], secret].concat());
        // What other bytes take part in, before and after, is left out.
        let from = [0, 2, 3][offset];
        let until = url.len() - usize::from(!(offset + secret.len()).is_multiple_of(3));
        let url = &url[from..until];
        forms.push(url.replace('-', "+").replace('_', "/").into_bytes());
        forms.push(url.as_bytes().to_vec());
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"canary \xfb\xff of a test";

    #[test]
    fn a_secret_is_found_in_every_form() {
        let mut needles = Needles::default();
        needles.add(SECRET);
        assert_eq!(needles.len(), 1);
        let hex: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
        for before in 0..7 {
            let around = [&vec![9; before][..], SECRET, b"tail"].concat();
            let url = to_base64url(&around);
            let plain = url.replace('-', "+").replace('_', "/");
            for text in [around, url.into_bytes(), plain.into_bytes()] {
                assert!(needles.found_in(&text).is_some(), "{before}: {}", text.escape_ascii());
            }
        }
        assert!(needles.found_in(format!("key={hex}").as_bytes()).is_some());
        assert!(needles.found_in(format!("key={}", hex.to_uppercase()).as_bytes()).is_some());
    }

    #[test]
    fn other_bytes_are_not_found() {
        let mut needles = Needles::default();
        needles.add(SECRET);
        needles.add(b"short");
        assert_eq!(needles.len(), 1);
        let other = SECRET.iter().map(|byte| byte ^ 1).collect::<Vec<_>>();
        assert_eq!(needles.found_in(&other), None);
        assert_eq!(needles.found_in(&SECRET[..SECRET.len() - 1]), None);
        assert_eq!(needles.found_in(b"short"), None);
    }
}
