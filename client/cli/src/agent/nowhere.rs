//! Systems without Unix sockets: nothing stays unlocked.

use std::io;

use super::RootKey;
use crate::failure::Failure;
use crate::place::Place;

fn unavailable() -> Failure {
    Failure::failed(
        "no-agent",
        "staying unlocked is not available on this system; each command asks for the password",
    )
}

/// There is never a key.
///
/// # Errors
/// None.
pub async fn ask(_: &Place) -> Result<Option<RootKey>, Failure> {
    Ok(None)
}

/// There is nothing to forget.
///
/// # Errors
/// None.
pub async fn forget(_: &Place) -> Result<bool, Failure> {
    Ok(false)
}

/// Not available here.
///
/// # Errors
/// Always.
pub async fn start(_: &Place, _: &str, _: &RootKey, _: u32) -> Result<(), Failure> {
    Err(unavailable())
}

/// Not available here.
///
/// # Errors
/// Always.
pub async fn keep(_: &Place, _: u32, _: &mut dyn io::Read) -> Result<(), Failure> {
    Err(unavailable())
}
