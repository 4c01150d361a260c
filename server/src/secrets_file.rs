//! The server's secrets on disk: one file, readable by its owner alone, outside the database.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use lockstep_domain::ServerSecrets;
use lockstep_proto::bytes::{from_base64url, to_base64url};
use lockstep_proto::ids::ServerId;
use zeroize::Zeroizing;

/// The secrets cannot be used; the server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsFileError {
    /// Others may read the file.
    #[error(
        "{0} can be read by others than its owner. Run `chmod 600 {0}`, and think about who may have read it"
    )]
    Readable(String),
    /// The file cannot be read or written.
    #[error("{path} cannot be used")]
    Io {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not one of this program.
    #[error("{0} does not hold this program's secrets. Put the right file back from your backup")]
    Format(String),
}

/// Upper bound of the file's length in bytes.
const LIMIT: u64 = 64 * 1024;

/// Reads the secrets; `None` if there is no such file.
///
/// # Errors
/// [`SecretsFileError`].
pub(crate) fn read(path: &Path) -> Result<Option<ServerSecrets>, SecretsFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path)(error)),
    };
    check_owner_only(path, &file)?;
    let mut text = Zeroizing::new(String::new());
    file.take(LIMIT).read_to_string(&mut text).map_err(io_error(path))?;
    parse(&text).map(Some).ok_or_else(|| SecretsFileError::Format(path.display().to_string()))
}

/// Writes the secrets to a new file, durably. An existing one is never replaced; a crash leaves it whole or absent.
///
/// # Errors
/// [`SecretsFileError::Io`].
pub(crate) fn create(path: &Path, secrets: &ServerSecrets) -> Result<(), SecretsFileError> {
    let text = Zeroizing::new(format!(
        "# Lockstep server secrets. Keep this file secret, and back it up apart from the database.\n\
         version = 1\nserver_id = \"{}\"\nopaque_setup = \"{}\"\ntoken_key = \"{}\"\n",
        secrets.server_id(),
        to_base64url(secrets.expose_opaque_setup()),
        to_base64url(secrets.expose_token_key()),
    ));
    let temporary = path.with_extension("new");
    let write = || {
        let _ = fs::remove_file(&temporary);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::hard_link(&temporary, path)?;
        fs::remove_file(&temporary)?;
        File::open(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
            .sync_all()
    };
    write().map_err(io_error(path))
}

fn parse(text: &str) -> Option<ServerSecrets> {
    let table: toml::Table = text.parse().ok()?;
    if table.get("version")?.as_integer()? != 1 {
        return None;
    }
    let bytes = |key: &str| from_base64url(table.get(key)?.as_str()?).map(Zeroizing::new);
    let server_id: ServerId = table.get("server_id")?.as_str()?.parse().ok()?;
    let token_key: [u8; 32] = bytes("token_key")?.as_slice().try_into().ok()?;
    ServerSecrets::from_parts(server_id, bytes("opaque_setup")?, Zeroizing::new(token_key)).ok()
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> SecretsFileError + '_ {
    move |source| SecretsFileError::Io { path: path.display().to_string(), source }
}

#[cfg(unix)]
fn check_owner_only(path: &Path, file: &File) -> Result<(), SecretsFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().map_err(io_error(path))?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { Err(SecretsFileError::Readable(path.display().to_string())) }
}

#[cfg(not(unix))]
fn check_owner_only(_: &Path, _: &File) -> Result<(), SecretsFileError> {
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;

    #[test]
    fn secrets_survive_the_file_and_a_file_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        assert!(read(&path).unwrap().is_none());
        let secrets = ServerSecrets::make(&SystemRandom);
        create(&path, &secrets).unwrap();
        let kept = read(&path).unwrap().unwrap();
        assert_eq!(kept.server_id(), secrets.server_id());
        assert_eq!(kept.expose_opaque_setup(), secrets.expose_opaque_setup());
        assert_eq!(kept.expose_token_key(), secrets.expose_token_key());
        create(&path, &ServerSecrets::make(&SystemRandom)).unwrap_err();
        assert_eq!(read(&path).unwrap().unwrap().server_id(), secrets.server_id());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        create(&path, &ServerSecrets::make(&SystemRandom)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(SecretsFileError::Readable(_))));
    }

    #[test]
    fn anything_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        create(&path, &ServerSecrets::make(&SystemRandom)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for broken in
            ["", "version = 2", &text.replace("version = 1", "version = 3"), &text[..text.len() - 20]]
        {
            fs::write(&path, broken).unwrap();
            assert!(matches!(read(&path), Err(SecretsFileError::Format(_))));
        }
    }
}
