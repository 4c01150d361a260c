//! Hedged randomness: even a broken random source must not make two different envelopes share a salt.

use sha2::{Digest as _, Sha256};

use crate::kdf;
use crate::keys::DeviceRngSecret;
use crate::random::{Random, make_secret_bytes};

/// Length in bytes of an envelope's salt.
pub(crate) const SALT_LENGTH: usize = 32;

/// What sealing needs besides a key: a random source and the device's own secret that hedges it.
#[derive(Clone, Copy)]
pub struct Hedge<'a> {
    random: &'a dyn Random,
    device_secret: &'a DeviceRngSecret,
}

impl<'a> Hedge<'a> {
    /// Hedges `random` with the device's secret.
    pub fn new(random: &'a dyn Random, device_secret: &'a DeviceRngSecret) -> Self {
        Self { random, device_secret }
    }

    /// The random source itself.
    pub(crate) fn random(&self) -> &'a dyn Random {
        self.random
    }

    /// A salt: HKDF-SHA512 with empty salt, ikm = 32 random bytes and
    /// info = `"LS1/salt" ‖ 0x00 ‖ device_rng_secret ‖ SHA-256(ctx ‖ plaintext)`.
    ///
    /// With a good source it is random; with a constant one it still differs for every device, context and plaintext,
    /// and nobody without the device's secret can foretell it.
    pub(crate) fn make_salt(&self, ctx: &[u8], plaintext: &[u8]) -> [u8; SALT_LENGTH] {
        let random = make_secret_bytes::<SALT_LENGTH>(self.random);
        if lockstep_proto::seeded!("salt-not-hedged") {
            return *random;
        }
        let content = Sha256::new().chain_update(ctx).chain_update(plaintext).finalize();
        *kdf::derive(&*random, "salt", &[self.device_secret.expose_bytes(), &content])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ConstantRandom, CountingRandom, device_rng_secret};

    #[test]
    fn a_broken_source_still_gives_distinct_salts() {
        let one = device_rng_secret(1);
        let two = device_rng_secret(2);
        let base = Hedge::new(&ConstantRandom, &one).make_salt(b"ctx", b"plaintext");
        assert_ne!(base, Hedge::new(&ConstantRandom, &two).make_salt(b"ctx", b"plaintext"));
        assert_ne!(base, Hedge::new(&ConstantRandom, &one).make_salt(b"ctx", b"other"));
        assert_ne!(base, Hedge::new(&ConstantRandom, &one).make_salt(b"other", b"plaintext"));
    }

    #[test]
    fn a_good_source_gives_distinct_salts_for_the_same_content() {
        let random = CountingRandom::default();
        let secret = device_rng_secret(1);
        let hedge = Hedge::new(&random, &secret);
        assert_ne!(hedge.make_salt(b"ctx", b"plaintext"), hedge.make_salt(b"ctx", b"plaintext"));
    }
}
