//! Secret bytes that stay where they were made.

use std::ops::Deref;

use zeroize::Zeroizing;

/// `N` secret bytes on the heap, wiped when dropped. Moving them moves a pointer: an array in their place would leave itself
/// behind, unwiped, in every frame and every future that it passes through.
pub struct SecretBytes<const N: usize>(Box<Zeroizing<[u8; N]>>);

impl<const N: usize> SecretBytes<N> {
    /// What `fill` writes over zeros.
    pub fn filled(fill: impl FnOnce(&mut [u8; N])) -> Self {
        let mut bytes = Box::new(Zeroizing::new([0; N]));
        fill(&mut bytes);
        Self(bytes)
    }

    /// A copy.
    pub fn copy_of(bytes: &[u8; N]) -> Self {
        Self::filled(|copy| copy.copy_from_slice(bytes))
    }

    /// The bytes, to be written over in their place.
    pub fn place(&mut self) -> &mut [u8; N] {
        &mut self.0
    }

    /// A copy, if there are `N`.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes: &[u8; N]| Self::copy_of(bytes))
    }
}

impl<const N: usize> Deref for SecretBytes<N> {
    type Target = [u8; N];

    fn deref(&self) -> &[u8; N] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_in_their_place_whoever_holds_them() {
        let bytes = SecretBytes::filled(|bytes: &mut [u8; 4]| bytes.copy_from_slice(&[1, 2, 3, 4]));
        let place = bytes.as_ptr();
        let moved = [bytes];
        assert_eq!((moved[0].as_ptr(), *moved[0]), (place, [1, 2, 3, 4]));
        assert!(SecretBytes::<4>::from_slice(&[1; 5]).is_none());
        assert_eq!(SecretBytes::<4>::from_slice(&[1; 4]).map(|bytes| *bytes), Some([1; 4]));
    }
}
