//! Files that hold secrets: new, readable by their owner alone, and whole or not there.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Names tried for the file that becomes the new one: others are what a process of the same number left when it died.
const ATTEMPTS: u32 = 16;

/// Writes a new file with mode 0600, durably and at once: whatever happens meanwhile, there is the whole file under its
/// name or none. An existing file is never touched.
///
/// # Errors
/// As [`NewFile::write`] and [`NewFile::publish`]; then there is no new file.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    NewFile::write(path, content)?.publish()
}

/// A file that is written, but does not have its name yet. Dropped before it has, it is removed; a crash leaves it
/// behind as `.lockstep-….part`.
pub(crate) struct NewFile {
    path: PathBuf,
    part: PathBuf,
}

impl NewFile {
    /// Writes a file with mode 0600 beside `path`, durably.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where `path` is taken, or whatever the disk says.
    pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<Self> {
        check_free(path)?;
        let (part, mut file) = create_part(folder_of(path))?;
        let new = Self { path: path.to_owned(), part };
        file.write_all(content)?;
        file.sync_all()?;
        Ok(new)
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        std::fs::read(&self.part)
    }

    /// Gives it its name, durably.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where the name was taken meanwhile, or whatever the disk says.
    pub(crate) fn publish(self) -> io::Result<()> {
        // A link is the one way in which every Unix gives a name only if it is free.
        match std::fs::hard_link(&self.part, &self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // The file systems of most memory sticks know no links.
            Err(_) => {
                check_free(&self.path)?;
                std::fs::rename(&self.part, &self.path)?;
            }
        }
        // The name is durable with the content: what follows may destroy the only other copy.
        sync_folder(folder_of(&self.path)).inspect_err(|_| {
            // It has failed already; what cannot be promised is not left behind.
            let _ = std::fs::remove_file(&self.path);
        })
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Where it was renamed there is nothing to remove.
        let _ = std::fs::remove_file(&self.part);
    }
}

/// Refuses a path under which there is something, be it a link to nothing.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`].
pub(crate) fn check_free(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(_) => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "it exists already and is never overwritten"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn create_part(folder: &Path) -> io::Result<(PathBuf, File)> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for attempt in 0..ATTEMPTS {
        let part = folder.join(format!(".lockstep-{}-{attempt}.part", std::process::id()));
        match create(&part) {
            Ok(file) => return Ok((part, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_its_owners_alone_and_an_old_one_is_never_replaced() {
        use std::os::unix::fs::PermissionsExt as _;
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("kit.txt");
        write_new(&path, b"secret").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write_new(&path, b"other").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"secret");
        let link = top.path().join("link");
        std::os::unix::fs::symlink(top.path().join("nowhere"), &link).unwrap();
        assert_eq!(write_new(&link, b"other").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(names(top.path()), ["kit.txt", "link"]);
    }

    #[test]
    fn a_file_has_its_name_when_it_is_whole_and_not_before() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("archive");
        let new = NewFile::write(&path, b"whole").unwrap();
        assert!(!path.exists());
        assert_eq!(new.read().unwrap(), b"whole");
        new.publish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(top.path()), ["archive"]);
    }

    #[test]
    fn a_file_that_is_given_up_or_overtaken_leaves_nothing() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("archive");
        drop(NewFile::write(&path, b"given up").unwrap());
        assert!(names(top.path()).is_empty());
        let new = NewFile::write(&path, b"overtaken").unwrap();
        std::fs::write(&path, b"first").unwrap();
        assert_eq!(new.publish().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(names(top.path()), ["archive"]);
    }

    #[test]
    fn what_a_crash_left_is_in_nobodys_way() {
        let top = tempfile::tempdir().unwrap();
        let left = format!(".lockstep-{}-0.part", std::process::id());
        std::fs::write(top.path().join(&left), b"half").unwrap();
        write_new(&top.path().join("archive"), b"whole").unwrap();
        assert_eq!(names(top.path()), [left.as_str(), "archive"]);
        assert!(NewFile::write(&top.path().join("no/such/folder"), b"x").is_err());
    }
}
