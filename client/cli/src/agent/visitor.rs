//! Commands that start the process in the background, ask it, and end it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::{ASK, FORGET, RootKey};
use crate::failure::Failure;
use crate::place::Place;

/// How long an answer may take before the profile counts as locked.
const PATIENCE: Duration = Duration::from_secs(3);

/// The root key, if the profile is unlocked.
///
/// # Errors
/// None today: whatever goes wrong counts as locked.
pub async fn ask(place: &Place) -> Result<Option<RootKey>, Failure> {
    let mut key = RootKey::copy_of(&[0; 32]);
    let asked = async {
        let mut stream = connect(place).await?;
        stream.write_all(&[ASK]).await.ok()?;
        stream.read_exact(key.place()).await.ok()
    };
    let answered = tokio::time::timeout(PATIENCE, asked).await;
    Ok(matches!(answered, Ok(Some(_))).then_some(key))
}

/// Makes the process forget the key and end. Returns whether there was one.
///
/// # Errors
/// A [`Failure`] when it does not answer; it may still hold the key.
pub async fn forget(place: &Place) -> Result<bool, Failure> {
    let Some(mut stream) = connect(place).await else { return Ok(false) };
    let told = async {
        stream.write_all(&[FORGET]).await?;
        stream.read_u8().await
    };
    match tokio::time::timeout(PATIENCE, told).await {
        Ok(Ok(_)) => Ok(true),
        // It ended while this visitor waited for its turn.
        Ok(Err(_)) if connect(place).await.is_none() => Ok(true),
        _ => Err(Failure::failed(
            "agent",
            "the process that keeps this profile unlocked does not answer: end it by hand",
        )),
    }
}

/// Starts the process and hands it the key. Returns when it answers.
///
/// # Errors
/// A [`Failure`] when it cannot be started; the profile is then locked.
pub async fn start(place: &Place, profile: &str, key: &RootKey, idle_minutes: u32) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let hint = if error.kind() == ErrorKind::InvalidInput {
            " (is the path of the profile too long?)"
        } else {
            ""
        };
        Failure::failed("agent", format!("the profile cannot stay unlocked: {error}{hint}; it is locked"))
    };
    forget(place).await?;
    let mut child = Command::new(std::env::current_exe().map_err(failed)?)
        .args(["--profile", profile, "agent", "--minutes", &idle_minutes.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(mut stdin), Some(mut stdout)) = (stdin, stdout) else {
        return Err(failed(ErrorKind::BrokenPipe.into()));
    };
    stdin.write_all(&**key).and_then(|()| stdin.flush()).map_err(failed)?;
    drop(stdin);
    stdout.read_exact(&mut [0]).map_err(|_| failed(ErrorKind::InvalidInput.into()))
}

/// A socket that another user listens on is none.
async fn connect(place: &Place) -> Option<UnixStream> {
    let stream = UnixStream::connect(place.socket()).await.ok()?;
    let listens = stream.peer_cred().ok()?.uid();
    (listens == rustix::process::geteuid().as_raw()).then_some(stream)
}
