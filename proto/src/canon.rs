//! Canon: the one encoding of everything that is hashed, signed or authenticated.
//!
//! Integers are fixed-width big-endian; variable fields are a `u32` length and the bytes; lists are a `u32` count
//! and the elements; a bool is 0 or 1. There are no maps, floats or optional fields.
//!
//! **Invariant:** a value has exactly one encoding. [`from_bytes`] refuses any input whose re-encoding differs, and
//! any trailing byte.

use thiserror::Error;

/// Why bytes are not a canonical encoding of the value asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CanonError {
    /// The input ends inside a field.
    #[error("the encoding ends inside a field")]
    Truncated,
    /// Bytes follow the last field.
    #[error("{0} bytes follow the last field")]
    Trailing(usize),
    /// A length or a count is above its bound.
    #[error("a length of {found} is above the bound of {limit}")]
    TooLong {
        /// What the input says.
        found: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A field has a value that no encoder writes.
    #[error("the field {0} has a value that no encoder writes")]
    Invalid(&'static str),
    /// A sorted list is not strictly ascending.
    #[error("the list {0} is not strictly ascending")]
    Unsorted(&'static str),
    /// Another structure was expected.
    #[error("these bytes are not a {0}")]
    WrongLabel(&'static str),
    /// A suite, kind or version that this program does not know: an update is needed (R-SUITE).
    #[error("{field} {value} is not known to this version of Lockstep: update needed")]
    UpdateNeeded {
        /// Which field holds the unknown value.
        field: &'static str,
        /// The unknown value.
        value: u32,
    },
    /// The input decodes but is not what the encoder would write.
    #[error("the encoding is not the canonical one")]
    NotCanonical,
}

/// A value with exactly one encoding.
pub trait Canon: Sized {
    /// Appends the encoding.
    fn encode(&self, out: &mut Encoder);
    /// Reads one value.
    ///
    /// # Errors
    /// Says which field is truncated, too long or invalid. The decoder's position is unspecified afterwards.
    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError>;
}

/// Encodes a value.
pub fn to_bytes<T: Canon>(value: &T) -> Vec<u8> {
    let mut out = Encoder::new();
    value.encode(&mut out);
    out.into_bytes()
}

/// Decodes a value that fills the input exactly, and checks that encoding it gives the input back.
///
/// # Errors
/// [`CanonError`], naming the field.
pub fn from_bytes<T: Canon>(bytes: &[u8]) -> Result<T, CanonError> {
    let mut input = Decoder::new(bytes);
    let value = T::decode(&mut input)?;
    input.finish()?;
    if to_bytes(&value) == bytes { Ok(value) } else { Err(CanonError::NotCanonical) }
}

/// Writes canonical bytes.
#[derive(Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An empty encoder.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// A field whose length the format fixes: the bytes alone.
    pub fn fixed<const N: usize>(&mut self, value: &[u8; N]) {
        self.bytes.extend_from_slice(value);
    }

    /// A variable field: `u32` length, then the bytes. Fields above 4 GiB do not exist; the length saturates, which
    /// no decoder accepts.
    pub fn bytes(&mut self, value: &[u8]) {
        self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.bytes.extend_from_slice(value);
    }

    /// A list: `u32` count, then the elements.
    pub fn list<T: Canon>(&mut self, values: &[T]) {
        self.u32(u32::try_from(values.len()).unwrap_or(u32::MAX));
        for value in values {
            value.encode(self);
        }
    }

    /// A label: `u8` length, then ASCII.
    pub fn label(&mut self, label: &'static str) {
        self.u8(u8::try_from(label.len()).unwrap_or(u8::MAX));
        self.bytes.extend_from_slice(label.as_bytes());
    }
}

/// Reads canonical bytes.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// A decoder at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes as they are.
    ///
    /// # Errors
    /// [`CanonError::Truncated`] when fewer are left.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], CanonError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(CanonError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// A field of fixed length.
    ///
    /// # Errors
    /// [`CanonError::Truncated`].
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], CanonError> {
        self.take(N)?.try_into().map_err(|_| CanonError::Truncated)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`CanonError::Truncated`].
    pub fn u8(&mut self) -> Result<u8, CanonError> {
        Ok(u8::from_be_bytes(self.fixed()?))
    }

    /// Two bytes, big-endian.
    ///
    /// # Errors
    /// [`CanonError::Truncated`].
    pub fn u16(&mut self) -> Result<u16, CanonError> {
        Ok(u16::from_be_bytes(self.fixed()?))
    }

    /// Four bytes, big-endian.
    ///
    /// # Errors
    /// [`CanonError::Truncated`].
    pub fn u32(&mut self) -> Result<u32, CanonError> {
        Ok(u32::from_be_bytes(self.fixed()?))
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    /// [`CanonError::Truncated`].
    pub fn u64(&mut self) -> Result<u64, CanonError> {
        Ok(u64::from_be_bytes(self.fixed()?))
    }

    /// 0 or 1.
    ///
    /// # Errors
    /// [`CanonError::Invalid`] for any other byte.
    pub fn bool(&mut self) -> Result<bool, CanonError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CanonError::Invalid("bool")),
        }
    }

    /// A variable field of at most `limit` bytes. Nothing is allocated.
    ///
    /// # Errors
    /// [`CanonError::TooLong`] above the limit.
    pub fn bytes(&mut self, limit: usize) -> Result<&'a [u8], CanonError> {
        let found = self.length(limit)?;
        self.take(found)
    }

    /// A list of at most `limit` elements. Memory grows with the elements read, never with the count announced.
    ///
    /// # Errors
    /// [`CanonError::TooLong`] above the limit, or the first element's error.
    pub fn list<T: Canon>(&mut self, limit: usize) -> Result<Vec<T>, CanonError> {
        let count = self.length(limit)?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(T::decode(self)?);
        }
        Ok(values)
    }

    /// A list whose keys are strictly ascending.
    ///
    /// # Errors
    /// [`CanonError::Unsorted`] with `name`, or what [`Decoder::list`] says.
    pub fn sorted_list<T: Canon, K: Ord>(
        &mut self,
        name: &'static str,
        limit: usize,
        key: impl Fn(&T) -> K,
    ) -> Result<Vec<T>, CanonError> {
        let values: Vec<T> = self.list(limit)?;
        if values.windows(2).all(|pair| key(&pair[0]) < key(&pair[1]))
            || crate::seeded!("list-order-unchecked")
        {
            Ok(values)
        } else {
            Err(CanonError::Unsorted(name))
        }
    }

    /// Reads a label and refuses any other than the one expected.
    ///
    /// # Errors
    /// [`CanonError::WrongLabel`].
    pub fn label(&mut self, label: &'static str) -> Result<(), CanonError> {
        self.label_of([label]).map(|_| ())
    }

    /// Reads one of some labels and gives its index.
    ///
    /// # Errors
    /// [`CanonError::WrongLabel`] with the first one.
    pub fn label_of<const N: usize>(&mut self, labels: [&'static str; N]) -> Result<usize, CanonError> {
        let length = usize::from(self.u8()?);
        let found = self.take(length)?;
        let index = labels.iter().position(|label| found == label.as_bytes());
        index.ok_or(CanonError::WrongLabel(labels.first().copied().unwrap_or_default()))
    }

    /// Reads the suite and refuses an unknown one (R-SUITE).
    ///
    /// # Errors
    /// [`CanonError::UpdateNeeded`].
    pub fn suite(&mut self) -> Result<(), CanonError> {
        match self.u8()? {
            crate::SUITE => Ok(()),
            _ if crate::seeded!("unknown-suite-accepted") => Ok(()),
            other => Err(CanonError::UpdateNeeded { field: "suite", value: u32::from(other) }),
        }
    }

    /// Ends decoding.
    ///
    /// # Errors
    /// [`CanonError::Trailing`] when bytes are left.
    pub fn finish(self) -> Result<(), CanonError> {
        if self.rest.is_empty() || crate::seeded!("trailing-bytes-accepted") {
            Ok(())
        } else {
            Err(CanonError::Trailing(self.rest.len()))
        }
    }

    fn length(&mut self, limit: usize) -> Result<usize, CanonError> {
        let found = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if found > limit && !crate::seeded!("length-unchecked") {
            Err(CanonError::TooLong { found, limit })
        } else {
            Ok(found)
        }
    }
}
