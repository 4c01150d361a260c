//! A value in the person's own editor, by a file that nobody else can read and that is gone afterwards.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::private_file::write_new;

/// The editor that the environment names: `VISUAL`, else `EDITOR`.
pub(crate) fn command() -> Option<String> {
    named(|name| std::env::var(name).ok())
}

fn named(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| variable(name).filter(|command| !command.trim().is_empty()))
}

/// What `before` becomes in the editor; one line break at the end is dropped, since editors add it. The file is the
/// owner's alone, in a folder of its own, in memory where the system has such a place; it and whatever the editor left
/// beside it are overwritten and removed, also after a failure.
///
/// # Errors
/// A [`Failure`] when the editor does not start or fails, or what it left is longer than `limit` bytes or no text.
pub(crate) fn edit(command: &str, before: &str, limit: usize) -> Result<Zeroizing<String>, Failure> {
    let failed = |error: io::Error| {
        Failure::failed(
            "editor",
            format!("no file for the editor can be written: {error}; nothing was changed"),
        )
    };
    // Dropped last, after the folder: from before the file is there until it is gone.
    let _survives = Survives::signals().map_err(|error| {
        Failure::failed("editor", format!("signals cannot be held back: {error}; nothing was changed"))
    })?;
    let folder = Folder::new().map_err(failed)?;
    let file = folder.path().join("value.txt");
    write_new(&file, before.as_bytes()).map_err(failed)?;
    run(command, &file)?;
    read_back(&file, limit)
}

fn run(command: &str, file: &Path) -> Result<(), Failure> {
    // As git does: the variable may hold options and quotes.
    let mut editor = if cfg!(unix) {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{command} \"$1\"")).arg("sh").arg(file);
        shell
    } else {
        let mut words = command.split_whitespace();
        let mut editor = Command::new(words.next().unwrap_or_default());
        editor.args(words).arg(file);
        editor
    };
    // Standard output is for the result alone; an editor draws on the terminal.
    if !io::stdout().is_terminal() {
        editor
            .stdout(File::options().write(true).open("/dev/tty").map_or_else(|_| Stdio::null(), Stdio::from));
    }
    match editor.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::failed(
            "editor",
            format!("the editor \"{command}\" ended with {status}; nothing was changed"),
        )),
        Err(error) => Err(Failure::failed(
            "editor",
            format!("the editor \"{command}\" cannot be started: {error}; nothing was changed"),
        )),
    }
}

/// While this lives, signals that end the program (Ctrl-C in an editor that does not take it) end the editor alone: the
/// program stays to remove the file.
struct Survives(Arc<AtomicBool>);

/// Whether those signals end the program. Registered once: of several handlers any one that is let through would.
static DEADLY: OnceLock<Arc<AtomicBool>> = OnceLock::new();

impl Survives {
    fn signals() -> io::Result<Self> {
        let deadly = match DEADLY.get() {
            Some(registered) => Arc::clone(registered),
            None => {
                let new = Arc::new(AtomicBool::new(true));
                #[cfg(unix)]
                for signal in [
                    signal_hook::consts::SIGINT,
                    signal_hook::consts::SIGTERM,
                    signal_hook::consts::SIGHUP,
                    signal_hook::consts::SIGQUIT,
                ] {
                    signal_hook::flag::register_conditional_default(signal, Arc::clone(&new))?;
                }
                // Values are asked for one after the other, on one thread.
                Arc::clone(DEADLY.get_or_init(|| new))
            }
        };
        deadly.store(false, Ordering::SeqCst);
        Ok(Self(deadly))
    }
}

impl Drop for Survives {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn read_back(file: &Path, limit: usize) -> Result<Zeroizing<String>, Failure> {
    let unreadable = |error: io::Error| {
        Failure::failed(
            "editor",
            format!("what the editor wrote cannot be read: {error}; nothing was changed"),
        )
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 3));
    // The longest value, a line break, and one byte that tells that there is more.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(3);
    File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(unreadable)?;
    crate::secrets::whole_value(&bytes, limit, "what the editor wrote")
}

/// A private folder whose files are overwritten before it goes.
struct Folder(TempDir);

impl Folder {
    fn new() -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("lockstep-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let variable = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
        let memory = [variable, Some(PathBuf::from("/dev/shm"))];
        let in_memory = memory.into_iter().flatten().find_map(|top| builder.tempdir_in(top).ok());
        in_memory.map_or_else(|| builder.tempdir(), Ok).map(Self)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let entries = std::fs::read_dir(self.path()).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())) {
            // What cannot be overwritten is removed all the same.
            let _ = overwrite(&entry.path());
        }
    }
}

fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    let length = file.metadata()?.len();
    io::copy(&mut io::repeat(0).take(length), &mut file)?;
    file.flush().and_then(|()| file.sync_all())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn script(folder: &Path, text: &str) -> String {
        let path = folder.join("edit or");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        format!("'{}' -x", path.display())
    }

    #[test]
    fn an_editor_is_given_a_private_file_and_its_options_and_nothing_is_left() {
        let top = tempfile::tempdir().unwrap();
        let note = top.path().join("note");
        let text = format!(
            "[ \"$1\" = -x ] || exit 9\ncp \"$2\" '{0}' && stat -c '%a %n' \"$2\" \"$(dirname \"$2\")\" >> '{0}'\n\
             cp \"$2\" \"$2~\"\nprintf 'one\\r\\n\\ntwo\\n' > \"$2\"",
            note.display()
        );
        let edited = edit(&script(top.path(), &text), "before", 100).unwrap();
        assert_eq!(*edited, "one\r\n\ntwo");
        let seen = std::fs::read_to_string(&note).unwrap();
        let (file, folder) = seen.strip_prefix("before600 ").unwrap().split_once("\n700 ").unwrap();
        assert!(Path::new(file).starts_with(folder.trim()) && !Path::new(folder.trim()).exists(), "{seen}");
    }

    #[test]
    fn an_editor_that_fails_or_leaves_too_much_or_no_text_changes_nothing_and_leaves_nothing() {
        let top = tempfile::tempdir().unwrap();
        let note = top.path().join("note");
        for (text, told) in [
            ("exit 3", "ended with"),
            ("rm \"$2\"", "cannot be read"),
            ("printf 12345678901 > \"$2\"", "longer than 10 bytes"),
            ("printf '\\377' > \"$2\"", "no text in UTF-8"),
        ] {
            let text = format!("dirname \"$2\" > '{}'\n{text}", note.display());
            let failure = edit(&script(top.path(), &text), "before", 10).unwrap_err();
            assert!(failure.message.contains(told), "{failure}");
            assert!(!Path::new(std::fs::read_to_string(&note).unwrap().trim()).exists());
        }
        assert!(edit("/no/such/editor", "", 10).unwrap_err().message.contains("nothing was changed"));
    }

    #[test]
    fn files_are_overwritten_before_they_go() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("secret"), folder.path().join("another name of it"));
        std::fs::write(&path, "secret").unwrap();
        std::fs::hard_link(&path, &other).unwrap();
        overwrite(&path).unwrap();
        assert_eq!(std::fs::read(&other).unwrap(), [0; 6]);
    }

    #[test]
    fn visual_comes_before_editor_and_empty_is_none() {
        let from = |visual: &str, editor: &str| {
            named(|name| Some(if name == "VISUAL" { visual } else { editor }.to_owned()))
        };
        assert_eq!(from("vi", "ed").as_deref(), Some("vi"));
        assert_eq!(from(" ", "ed").as_deref(), Some("ed"));
        assert_eq!(from("", ""), None);
    }
}
