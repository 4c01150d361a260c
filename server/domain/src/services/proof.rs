//! Proofs by signature, of keys that may not be there.

use lockstep_proto::sign::{PublicKey, Signature};

/// The base point: a key like any other, which is never believed.
const NOBODYS: PublicKey = {
    let mut bytes = [0x66; 32];
    bytes[0] = 0x58;
    PublicKey(bytes)
};

/// Whether there is a key and this is its signature. Takes as long where there is none: a signature is verified anyway.
pub(super) fn signed_by(key: Option<PublicKey>, message: &[u8], signature: &Signature) -> bool {
    let verified = std::hint::black_box(key.unwrap_or(NOBODYS)).verify(message, signature);
    key.is_some() && verified.is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_nobody_takes_the_work_of_a_key_and_signs_for_nobody() {
        NOBODYS.check().unwrap();
        assert!(!signed_by(None, b"message", &Signature([0; 64])));
        assert!(!signed_by(Some(NOBODYS), b"message", &Signature([0; 64])));
    }
}
