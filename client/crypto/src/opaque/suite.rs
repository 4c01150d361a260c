//! What opaque-ke is given: the cipher suite, the key-stretching function and the random source.

use opaque_ke::errors::InternalError;
use opaque_ke::generic_array::{ArrayLength, GenericArray};
use opaque_ke::ksf::Ksf;
use opaque_ke::rand::{CryptoRng, Error, RngCore};
use opaque_ke::{CipherSuite, Ristretto255, TripleDh};
use zeroize::Zeroizing;

use super::Stretching;
use crate::random::Random;

/// The salt that OPAQUE gives Argon2id: none, since its input is already unique to the account.
const SALT: [u8; 16] = [0; 16];

pub(super) struct ClientSuite;

impl CipherSuite for ClientSuite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, sha2_010::Sha512>;
    type Ksf = StretchKsf;
}

/// Stretches as it was told to; the default, which opaque-ke demands, refuses.
#[derive(Default)]
pub(super) struct StretchKsf(Option<Stretching>);

impl StretchKsf {
    pub(super) fn new(stretching: &Stretching) -> Self {
        Self(Some(stretching.clone()))
    }
}

impl Ksf for StretchKsf {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        let Stretching { stretch, profile } = self.0.as_ref().ok_or(InternalError::KsfError)?;
        let input = Zeroizing::new(input.to_vec());
        let stretched = stretch.stretch(*profile, &input, &SALT).map_err(|_| InternalError::KsfError)?;
        GenericArray::from_exact_iter(stretched.iter().copied()).ok_or(InternalError::KsfError)
    }
}

/// Lends a [`Random`] to opaque-ke's generation of rand.
pub(super) struct OpaqueRandom<'a>(pub(super) &'a dyn Random);

impl RngCore for OpaqueRandom<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.0.fill(out);
        Ok(())
    }
}

impl CryptoRng for OpaqueRandom<'_> {}
