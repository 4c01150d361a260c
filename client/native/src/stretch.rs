//! Key stretching on a thread that may block.

use lockstep_client::ports::Stretcher;
use lockstep_crypto::stretch::{Argon2id, STRETCHED_LENGTH, Stretch as _, StretchError};
use lockstep_proto::signin::KsfProfile;
use zeroize::Zeroizing;

/// Argon2id on tokio's blocking threads. Needs a tokio runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct BlockingStretcher;

#[async_trait::async_trait]
impl Stretcher for BlockingStretcher {
    async fn stretch(
        &self,
        profile: KsfProfile,
        input: Zeroizing<Vec<u8>>,
        salt: Vec<u8>,
    ) -> Result<Zeroizing<[u8; STRETCHED_LENGTH]>, StretchError> {
        let memory_kib = profile.parameters().memory_kib;
        let stretched = tokio::task::spawn_blocking(move || Argon2id.stretch(profile, &input, &salt)).await;
        stretched.unwrap_or(Err(StretchError::Memory { memory_kib }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_stretches_as_argon2id_does() {
        let input = Zeroizing::new(b"input".to_vec());
        let stretched = BlockingStretcher.stretch(KsfProfile::CURRENT, input, vec![7; 16]).await.unwrap();
        let direct = Argon2id.stretch(KsfProfile::CURRENT, b"input", &[7; 16]).unwrap();
        assert_eq!(*stretched, *direct);
    }
}
