//! Whether a profile's folder and files are its owner's alone: whoever else could write there may have put files of their
//! own in their place.

use std::path::{Path, PathBuf};

/// Somebody else could have written there. Nothing was read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPrivate {
    /// Another user owns it.
    #[error("{} belongs to another user, so it is not used", .path.display())]
    Owner {
        /// The file or folder.
        path: PathBuf,
    },
    /// Others may write it.
    #[error(
        "{} can be written by other users (mode {mode:o}), who may have put files of theirs there, so it is not used: if \
         nobody has, take that away with `chmod go-w`; else move the profile to a folder of your own",
        .path.display()
    )]
    Writable {
        /// The file or folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It cannot be looked at.
    #[error("{} cannot be looked at: {reason}", .path.display())]
    Unknown {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Checks a profile's folder, the files in it and the folders above it. What does not exist is fine.
///
/// Folder and files belong to this user, and nobody else may write them. Folders above may be shared by a group, as home
/// folders are where each user has a group; others may write them only where they are sticky, as `/tmp` is.
///
/// # Errors
/// [`NotPrivate`] for the first that is not.
#[cfg(unix)]
pub(crate) fn check_private(folder: &Path) -> Result<(), NotPrivate> {
    const OTHERS: u32 = 0o002;
    const GROUP_AND_OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let own = rustix::process::geteuid().as_raw();
    let Some(found) = look(folder)? else { return Ok(()) };
    check(folder, found, &[own], GROUP_AND_OTHERS)?;
    let real = std::fs::canonicalize(folder).map_err(|error| unknown(folder, &error))?;
    for above in real.ancestors().skip(1) {
        let Some(found) = look(above)? else { continue };
        let mask = if found.mode & STICKY == 0 { OTHERS } else { 0 };
        check(above, found, &[own, 0], mask)?;
    }
    for entry in std::fs::read_dir(folder).map_err(|error| unknown(folder, &error))? {
        let path = entry.map_err(|error| unknown(folder, &error))?.path();
        if let Some(found) = look(&path)? {
            check(&path, found, &[own], GROUP_AND_OTHERS)?;
        }
    }
    Ok(())
}

/// Other systems have no such permissions.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub(crate) fn check_private(_: &Path) -> Result<(), NotPrivate> {
    Ok(())
}

#[cfg(unix)]
#[derive(Clone, Copy)]
struct Found {
    owner: u32,
    mode: u32,
}

/// What the path leads to, links followed.
#[cfg(unix)]
fn look(path: &Path) -> Result<Option<Found>, NotPrivate> {
    use std::os::unix::fs::MetadataExt as _;
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some(Found { owner: found.uid(), mode: found.mode() & 0o7777 })),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unknown(path, &error)),
    }
}

#[cfg(unix)]
fn check(path: &Path, found: Found, owners: &[u32], mask: u32) -> Result<(), NotPrivate> {
    let path = || path.to_owned();
    if !owners.contains(&found.owner) {
        return Err(NotPrivate::Owner { path: path() });
    }
    match found.mode & mask {
        0 => Ok(()),
        _ => Err(NotPrivate::Writable { path: path(), mode: found.mode }),
    }
}

#[cfg(unix)]
fn unknown(path: &Path, error: &std::io::Error) -> NotPrivate {
    NotPrivate::Unknown { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_may_write_is_refused_and_named() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("home/profile");
        assert_eq!(check_private(&folder), Ok(()), "there is none yet");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("local-secret");
        std::fs::write(&file, b"x").unwrap();
        set(&folder, 0o700);
        set(&file, 0o600);
        assert_eq!(check_private(&folder), Ok(()));
        for (path, fine, refused) in [
            (&folder, 0o755, [0o777, 0o770, 0o702].as_slice()),
            (&file, 0o644, &[0o666, 0o620, 0o602]),
            (&top.path().join("home"), 0o1777, &[0o777, 0o757]),
        ] {
            for mode in refused {
                set(path, *mode);
                let told = check_private(&folder).unwrap_err();
                let path = if path.ends_with("home") { &path.canonicalize().unwrap() } else { path };
                assert_eq!(told, NotPrivate::Writable { path: path.clone(), mode: *mode });
            }
            set(path, fine);
            assert_eq!(check_private(&folder), Ok(()));
        }
        set(&top.path().join("home"), 0o775);
        assert_eq!(check_private(&folder), Ok(()), "a user's own group");
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        let top = tempfile::tempdir().unwrap();
        let found = look(top.path()).unwrap().unwrap();
        let (own, other) = (found.owner, found.owner + 1);
        assert_eq!(check(top.path(), found, &[other, own], 0), Ok(()));
        let refused = NotPrivate::Owner { path: top.path().to_owned() };
        assert_eq!(check(top.path(), found, &[other], 0), Err(refused));
    }
}
