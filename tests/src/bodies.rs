//! Bodies of the interface, read and written as a hostile server would.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The value that the CBOR bytes are.
///
/// # Panics
/// Where they are none.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T {
    ciborium::from_reader(bytes).unwrap()
}

/// The value as CBOR.
///
/// # Panics
/// Where it cannot be written.
pub fn encode<T: Serialize>(body: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(body, &mut bytes).unwrap();
    bytes
}
