//! Key stretching: Argon2id with the parameters of a compiled-in profile (R-KDF).
//!
//! Calls take tenths of a second and tens of megabytes; running them off an executor is the caller's part.

use argon2::{Algorithm, Argon2, Params, Version};
use lockstep_proto::signin::KsfProfile;
use zeroize::Zeroizing;

/// Length in bytes of a stretched key.
pub const STRETCHED_LENGTH: usize = 64;

/// Stretching did not happen. Nothing was changed; trying again when memory is free may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StretchError {
    /// The memory that the profile demands cannot be had.
    #[error("the {memory_kib} KiB of memory that unlocking needs are not available: close other programs")]
    Memory {
        /// The memory the profile demands, in KiB.
        memory_kib: u32,
    },
    /// The salt is shorter than 8 bytes.
    #[error("the salt is too short")]
    Salt,
}

/// Turns something a person can remember into something a machine cannot guess.
pub trait Stretch: Send + Sync {
    /// 64 bytes from `input` and `salt` at the cost of `profile`. Blocks the calling thread.
    ///
    /// # Errors
    /// [`StretchError`].
    fn stretch(
        &self,
        profile: KsfProfile,
        input: &[u8],
        salt: &[u8],
    ) -> Result<Zeroizing<[u8; STRETCHED_LENGTH]>, StretchError>;
}

/// The real one: Argon2id version 1.3 (RFC 9106).
#[derive(Debug, Clone, Copy, Default)]
pub struct Argon2id;

impl Stretch for Argon2id {
    fn stretch(
        &self,
        profile: KsfProfile,
        input: &[u8],
        salt: &[u8],
    ) -> Result<Zeroizing<[u8; STRETCHED_LENGTH]>, StretchError> {
        let cost = profile.parameters();
        let memory = StretchError::Memory { memory_kib: cost.memory_kib };
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(STRETCHED_LENGTH));
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(|_| memory)?);
        let mut out = Zeroizing::new([0; STRETCHED_LENGTH]);
        argon2.hash_password_into(input, salt, &mut *out).map_err(|error| match error {
            argon2::Error::SaltTooShort | argon2::Error::SaltTooLong => StretchError::Salt,
            _ => memory,
        })?;
        Ok(out)
    }
}

/// Costs nothing and protects nothing: only for tests that sign in thousands of times.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug, Clone, Copy, Default)]
pub struct CheapStretch;

#[cfg(any(test, feature = "testing"))]
impl Stretch for CheapStretch {
    fn stretch(
        &self,
        profile: KsfProfile,
        input: &[u8],
        salt: &[u8],
    ) -> Result<Zeroizing<[u8; STRETCHED_LENGTH]>, StretchError> {
        let profile = u16::from(profile).to_be_bytes();
        Ok(Zeroizing::new(*crate::kdf::derive_salted(Some(salt), input, "cheap-stretch", &[&profile])))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn argon2id_agrees_with_rfc_9106() {
        let params = argon2::ParamsBuilder::new()
            .m_cost(32)
            .t_cost(3)
            .p_cost(4)
            .data(argon2::AssociatedData::new(&[4; 12]).unwrap())
            .output_len(32)
            .build()
            .unwrap();
        let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut tag = [0; 32];
        argon2.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
        let expected = [
            0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9,
            0xd0, 0x1e, 0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59,
        ];
        assert_eq!(tag, expected);
    }

    #[test]
    fn profile_1_depends_on_input_and_salt() {
        let stretch =
            |input: &[u8], salt: u8| *Argon2id.stretch(KsfProfile::Profile1, input, &[salt; 16]).unwrap();
        let base = stretch(b"input", 0);
        assert_ne!(base, stretch(b"other", 0));
        assert_ne!(base, stretch(b"input", 1));
    }

    #[test]
    fn a_short_salt_is_refused() {
        let error = Argon2id.stretch(KsfProfile::Profile1, b"input", &[0; 7]).unwrap_err();
        assert_eq!(error, StretchError::Salt);
    }
}
