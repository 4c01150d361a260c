//! Checked at compile time: no secret can be printed, copied or compared in variable time by accident.

use std::fmt::{Debug, Display};

use crate::device::DeviceKeys;
use crate::hedge::Hedge;
use crate::kem::KemSecret;
use crate::keys::{
    Ark, Auk, DeviceRngSecret, ItemIdKey, ItemKey, LocalSecret, Lrk, Luk, SymmetricKey, VaultKey,
};
use crate::kit::{EmergencyKit, RecoverySheet};
use crate::opaque::{ExportKey, LoggedIn, Login, Registered, Registration, SessionKey};
use crate::pairing::{Grant, OpenedReply, PairingCode, PairingLink, PairingSecrets};
use crate::password::{OpaquePassword, Password};
use crate::password_key::PasswordKey;
use crate::recovery_key::RecoveryKey;
use crate::secret_key::SecretKey;

/// Fails to compile when a type implements one of the traits: the call below is then ambiguous.
macro_rules! assert_never {
    ($bound:ident: $($name:ty),+ $(,)?) => {
        $(const _: fn() = || {
            trait Never<Marker> {
                fn check() {}
            }
            struct Implemented;
            impl<T: ?Sized> Never<()> for T {}
            impl<T: ?Sized + $bound> Never<Implemented> for T {}
            <$name as Never<_>>::check();
        };)+
    };
}

macro_rules! assert_secret {
    ($($name:ty),+ $(,)?) => {
        assert_never!(Debug: $($name),+);
        assert_never!(Display: $($name),+);
        assert_never!(Clone: $($name),+);
        assert_never!(PartialEq: $($name),+);
    };
}

assert_secret!(SymmetricKey, Ark, VaultKey, Lrk, Luk, Auk, ItemKey, LocalSecret, DeviceRngSecret, ItemIdKey);
assert_secret!(SecretKey, RecoveryKey, Password, OpaquePassword, KemSecret, DeviceKeys);
assert_secret!(PasswordKey, ExportKey, SessionKey, Registered, LoggedIn);
assert_secret!(EmergencyKit, RecoverySheet);
assert_secret!(PairingCode, PairingLink, PairingSecrets, Grant, OpenedReply);
// The states between OPAQUE's messages can be cloned, so that stretching can run elsewhere; nothing else.
assert_never!(Debug: Registration, Login, Hedge<'static>);
assert_never!(Display: Registration, Login);

#[test]
fn error_messages_hold_no_secrets() {
    let typed = "LS1-SECRET-SECRET-SECRET-SECRET-SECRET-SECRET";
    let error = SecretKey::parse(typed).err();
    assert!(error.is_some_and(|error| !format!("{error} {error:?}").contains("SECRET")));
}
