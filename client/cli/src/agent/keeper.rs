//! The process in the background.

use std::io::Read;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::{ASK, FORGET, RootKey, memory};
use crate::failure::Failure;
use crate::output::{Output, Reader};
use crate::place::Place;

/// A visitor who says nothing for this long is sent away.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a visit ended with.
#[derive(Debug)]
enum Visit {
    Served,
    Ignored,
    /// Who is to be told once nobody can ask any more.
    Forget(UnixStream),
}

/// Reads the key from `input`, says "ready" on standard output by one byte, and keeps the key until told to forget
/// it or until `idle_minutes` pass without a request.
///
/// # Errors
/// A [`Failure`] when the key does not come or the socket cannot be made.
pub async fn keep(place: &Place, idle_minutes: u32, input: &mut dyn Read) -> Result<(), Failure> {
    memory::seclude();
    // The socket is its owner's from its first moment on, whatever mask the shell has.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let mut key = RootKey::copy_of(&[0; 32]);
    let failed = |error: std::io::Error| {
        Failure::failed("agent", format!("this profile cannot stay unlocked: {error}"))
    };
    input.read_exact(key.place()).map_err(failed)?;
    let socket = place.socket();
    let listener = listen(&socket).map_err(failed)?;
    let owner = std::fs::metadata(place.folder()).map_err(failed)?.uid();
    Output::new(Reader::Person).bytes(&[0]).map_err(failed)?;
    let told = serve(&listener, owner, &key, Duration::from_secs(60 * u64::from(idle_minutes))).await;
    drop(key);
    end(listener, &socket, told).await;
    Ok(())
}

/// Closes the door, and then tells who wanted the key forgotten: nobody reaches this process any more.
async fn end(listener: UnixListener, socket: &Path, told: Option<UnixStream>) {
    // A socket left behind is found dead by the next visitor.
    let _ = std::fs::remove_file(socket);
    drop(listener);
    if let Some(mut stream) = told {
        // It is forgotten whether or not the visitor waits for the answer.
        let _ = stream.write_all(&[0]).await;
    }
}

fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Gives the key to who asks, until nobody has for so long, or somebody wants it forgotten: then returns who.
async fn serve(listener: &UnixListener, owner: u32, key: &RootKey, idle: Duration) -> Option<UnixStream> {
    let mut deadline = tokio::time::Instant::now() + idle;
    while let Ok(Ok((stream, _))) = tokio::time::timeout_at(deadline, listener.accept()).await {
        match tokio::time::timeout(PATIENCE, visit(stream, owner, key)).await {
            Ok(Visit::Forget(stream)) => return Some(stream),
            Ok(Visit::Served) => deadline = tokio::time::Instant::now() + idle,
            Ok(Visit::Ignored) | Err(_) => {}
        }
    }
    None
}

async fn visit(mut stream: UnixStream, owner: u32, key: &RootKey) -> Visit {
    if stream.peer_cred().map(|peer| peer.uid()).ok() != Some(owner) {
        return Visit::Ignored;
    }
    match stream.read_u8().await {
        Ok(ASK) if stream.write_all(&**key).await.is_ok() => Visit::Served,
        Ok(FORGET) => Visit::Forget(stream),
        _ => Visit::Ignored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{ask, forget};

    fn place() -> (tempfile::TempDir, Place) {
        let top = tempfile::tempdir().unwrap();
        let place = Place::at(top.path().to_owned());
        (top, place)
    }

    fn owner(place: &Place) -> u32 {
        std::fs::metadata(place.folder()).unwrap().uid()
    }

    #[tokio::test]
    async fn the_key_is_given_until_it_is_forgotten() {
        let (_top, place) = place();
        let listener = listen(&place.socket()).unwrap();
        let key = RootKey::copy_of(&[7; 32]);
        let visits = async {
            assert_eq!(*ask(&place).await.unwrap().unwrap(), *key);
            assert_eq!(*ask(&place).await.unwrap().unwrap(), *key);
            assert!(forget(&place).await.unwrap());
            // Whoever comes after the answer finds nobody.
            assert!(!forget(&place).await.unwrap());
        };
        let served = async {
            let told = serve(&listener, owner(&place), &key, Duration::from_secs(600)).await;
            end(listener, &place.socket(), told).await;
        };
        tokio::join!(served, visits);
    }

    #[tokio::test]
    async fn without_a_request_the_key_is_forgotten() {
        let (_top, place) = place();
        let listener = listen(&place.socket()).unwrap();
        assert!(serve(&listener, owner(&place), &RootKey::copy_of(&[7; 32]), Duration::ZERO).await.is_none());
        drop(listener);
        assert!(ask(&place).await.unwrap().is_none());
        assert!(!forget(&place).await.unwrap());
    }

    #[tokio::test]
    async fn another_user_and_noise_get_nothing() {
        let (_top, place) = place();
        let key = RootKey::copy_of(&[7; 32]);
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let somebody_else = owner(&place) + 1;
        assert!(matches!(visit(theirs, somebody_else, &key).await, Visit::Ignored));
        let (mut noisy, theirs) = UnixStream::pair().unwrap();
        noisy.write_all(b"GET / HTTP/1.1").await.unwrap();
        assert!(matches!(visit(theirs, owner(&place), &key).await, Visit::Ignored));
        let mut answer = Vec::new();
        ours.read_to_end(&mut answer).await.unwrap();
        assert!(answer.is_empty());
    }

    #[tokio::test]
    async fn the_socket_is_its_owners_alone() {
        let (_top, place) = place();
        let _listener = listen(&place.socket()).unwrap();
        let mode = std::fs::metadata(place.socket()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
