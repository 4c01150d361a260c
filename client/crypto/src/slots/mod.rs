//! Slots: one key sealed under, or to, another, for exactly one place in one log.
//!
//! Symmetric slots are envelopes whose context is the [`WrapContext`] (R-SELF). The two public-key ones, device slot
//! and recovery slot, are HPKE with the wrap context as `info`.
//!
//! **Invariants:** the context must name the kinds of the keys at hand, or nothing is sealed or opened; a key comes
//! out only together with the check that it is the one a log commits to (R-NULL, A14). Frozen: `slots.json`.

use lockstep_proto::log::KemKey;
use lockstep_proto::wrap::{KeyKind, SlotKind, WrapContext};

use crate::envelope::{self, OpenError, SealError};
use crate::hedge::Hedge;
use crate::kem::{self, KemSecret};
use crate::keys::{Ark, Auk, Luk, SymmetricKey, VaultKey};

mod content;

pub use content::{
    ArkCheck, LocalCheck, PasswordKeyCheck, RecordCheck, SecretKeyCheck, SlotContent, UekCheck, VaultKeyCheck,
};

/// Why a slot gives no key. As with [`OpenError`], nothing that a server can see may depend on the variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlotError {
    /// It does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It opens, but the key inside is not the one that the log commits to.
    #[error("this sealed key is not the one that the account's log names")]
    NotCommitted,
    /// The context names other kinds of keys than the ones at hand.
    #[error("the context does not fit this slot")]
    Context,
}

/// A key that wraps others symmetrically.
pub trait WrappingKey {
    /// Its kind, as the context names it.
    const KIND: KeyKind;

    /// The key itself.
    fn symmetric(&self) -> &SymmetricKey;
}

macro_rules! wrapping_key {
    ($($name:ident),+) => {
        $(impl WrappingKey for $name {
            const KIND: KeyKind = KeyKind::$name;

            fn symmetric(&self) -> &SymmetricKey {
                Self::symmetric(self)
            }
        })+
    };
}

wrapping_key!(Auk, Ark, VaultKey, Luk);

/// Seals a key or an OPAQUE record under a symmetric key.
///
/// # Errors
/// [`SealError::Context`] when `ctx` names other kinds than these, or a slot that is sealed to a public key.
pub fn seal_slot<K: WrappingKey, C: SlotContent>(
    wrapping: &K,
    ctx: &WrapContext,
    content: &C,
    hedge: &Hedge<'_>,
) -> Result<Vec<u8>, SealError> {
    if !fits(ctx, K::KIND, C::KIND) {
        return Err(SealError::Context);
    }
    envelope::seal(wrapping.symmetric(), &context(ctx), &content.expose_content(), hedge)
}

/// Opens what [`seal_slot`] wrote and checks the key inside.
///
/// # Errors
/// [`SlotError`].
pub fn open_slot<K: WrappingKey, C: SlotContent>(
    wrapping: &K,
    ctx: &WrapContext,
    slot: &[u8],
    check: &C::Check,
) -> Result<C, SlotError> {
    if !fits(ctx, K::KIND, C::KIND) {
        return Err(SlotError::Context);
    }
    let opened = envelope::open(wrapping.symmetric(), &context(ctx), slot)?;
    C::from_content(&opened, check).ok_or(SlotError::NotCommitted)
}

/// Seals ARK to a device's DEK or to the Recovery Key's KEM key. The caller vouches that the public key stands in the
/// user's own verified log (P6).
///
/// # Errors
/// [`SealError::Context`] when `ctx` is not that of a device or recovery slot; [`SealError::PublicKey`].
pub fn seal_slot_to(
    recipient: &KemKey,
    ctx: &WrapContext,
    ark: &Ark,
    hedge: &Hedge<'_>,
) -> Result<Vec<u8>, SealError> {
    if !fits_public(ctx) {
        return Err(SealError::Context);
    }
    kem::seal_to(recipient, &ctx.context(), ark.expose_bytes(), hedge.random())
}

/// Opens a device slot with DEK, or a recovery slot with the Recovery Key's KEM key, and checks the ARK inside. The
/// caller vouches that a verified link names the hash of exactly these bytes.
///
/// # Errors
/// [`SlotError`].
pub fn open_slot_with(
    secret: &KemSecret,
    ctx: &WrapContext,
    slot: &[u8],
    check: &ArkCheck,
) -> Result<Ark, SlotError> {
    if !fits_public(ctx) {
        return Err(SlotError::Context);
    }
    let opened = secret.open(&ctx.context(), slot)?;
    Ark::from_content(&opened, check).ok_or(SlotError::NotCommitted)
}

fn context(ctx: &WrapContext) -> Vec<u8> {
    if lockstep_proto::seeded!("slot-place-not-in-context") {
        return WrapContext { log_seq: Default::default(), log_hash: Default::default(), ..*ctx }.context();
    }
    ctx.context()
}

/// Which kinds of keys each symmetric slot joins.
fn fits(ctx: &WrapContext, wrapping: KeyKind, wrapped: KeyKind) -> bool {
    let kinds = match ctx.slot {
        SlotKind::Password => (KeyKind::Auk, KeyKind::Ark),
        SlotKind::Uek => (KeyKind::Ark, KeyKind::Uek),
        SlotKind::SecretKey => (KeyKind::Ark, KeyKind::SecretKey),
        SlotKind::VaultKey => (KeyKind::Ark, KeyKind::VaultKey),
        SlotKind::PrevVaultKey => (KeyKind::VaultKey, KeyKind::VaultKey),
        SlotKind::PrevArk => (KeyKind::Ark, KeyKind::Ark),
        SlotKind::Local => (KeyKind::Luk, KeyKind::Lrk),
        SlotKind::PasswordKey => (KeyKind::Luk, KeyKind::PasswordKey),
        SlotKind::OpaqueRecord => (KeyKind::Ark, KeyKind::OpaqueRecord),
        SlotKind::Recovery | SlotKind::Device => return false,
    };
    if lockstep_proto::seeded!("slot-kind-unchecked") {
        return true;
    }
    kinds == (wrapping, wrapped) && kinds == (ctx.wrapping, ctx.wrapped)
}

fn fits_public(ctx: &WrapContext) -> bool {
    let wrapping = match ctx.slot {
        SlotKind::Recovery => KeyKind::Recovery,
        SlotKind::Device => KeyKind::Device,
        _ => return false,
    };
    (ctx.wrapping, ctx.wrapped) == (wrapping, KeyKind::Ark)
}

#[cfg(test)]
mod tests;
