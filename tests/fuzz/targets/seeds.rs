//! The frozen vectors as bytes.

use std::path::Path;

use serde_json::Value;

/// Every value of these members in a file of `proto/vectors`, in order.
pub(crate) fn vectors(file: &str, members: &[&str]) -> Vec<Vec<u8>> {
    let cases = cases(file);
    let found = cases.iter().flat_map(|case| members.iter().filter_map(|member| case.get(member)?.as_str()));
    found.map(unhex).collect()
}

/// The cases of a file of `proto/vectors`.
pub(crate) fn cases(file: &str) -> Vec<Value> {
    let text = read(&format!("proto/vectors/{file}.json"));
    let file: Value = serde_json::from_slice(&text).unwrap();
    file["cases"].as_array().unwrap().clone()
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> Vec<u8> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let top = here.ancestors().find(|folder| folder.join("proto/vectors").is_dir()).unwrap();
    std::fs::read(top.join(path)).unwrap()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Reads fields from the front of an input; whatever is lacking is zero or empty.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// At most `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        head
    }

    /// A field: two bytes of length, then the bytes, as many as there are.
    pub(crate) fn field(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()) << 8 | usize::from(self.byte());
        self.take(length)
    }
}

/// What [`Fields::field`] reads.
pub(crate) fn field(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}
