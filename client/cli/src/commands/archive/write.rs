//! `export --format lockstep`: gathers, seals, reads the file back, and only then says that there is one.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use lockstep_formats::archive::{Archive, Passphrase, WorkFactor, open, seal};

use super::gather::Gathered;
use super::{Options, passphrase};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Reader;
use crate::private_file::{NewFile, check_free};
use crate::session::Session;
use crate::show::archive::Written;

/// Where the archive goes.
enum Target {
    File(PathBuf),
    Output,
}

/// Writes an archive. The file has its name once it was read back, opened, and held every document byte for byte.
///
/// # Errors
/// A [`Failure`]; then there is no new file.
pub(in crate::commands) async fn write(
    context: &Context,
    file: Option<PathBuf>,
    options: Options,
) -> Result<Exit, Failure> {
    let target = Target::of(context, file)?;
    let session = Session::open_asking(context).await?;
    let gathered = Gathered::from(&session.client, options.vault.as_deref()).await?;
    let passphrase = passphrase::read_new(context, options.passphrase_fd)?;
    context.output.hint("Sealing the archive and reading it back; this takes a few seconds.");
    let archive = gathered.archive();
    let sealed = sealed(&archive, &passphrase)?;
    let written = Written::new(&archive, &gathered.unopened, gathered.pending, gathered.vaults_missing);
    match target {
        Target::File(path) => {
            let failed = |error| Failure::file("the file", &path, &error);
            let new = NewFile::write(&path, &sealed).map_err(failed)?;
            check(&new.read().map_err(failed)?, &passphrase, &archive)?;
            new.publish().map_err(failed)?;
            let written = written.to(&path);
            context.output.result(&written.text(), &written);
            Ok(written.exit())
        }
        Target::Output => {
            check(&sealed, &passphrase, &archive)?;
            context.output.bytes(&sealed).map_err(|error| {
                Failure::failed("output", format!("the archive could not be written whole: {error}"))
            })?;
            context.output.note(&written.text());
            Ok(written.exit())
        }
    }
}

impl Target {
    /// Where to, checked before anybody types a passphrase.
    fn of(context: &Context, file: Option<PathBuf>) -> Result<Self, Failure> {
        match file {
            Some(path) => {
                check_free(&path).map_err(|error| Failure::file("the file", &path, &error))?;
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                std::fs::read_dir(folder).map_err(|error| Failure::file("the folder", folder, &error))?;
                Ok(Self::File(path))
            }
            None if context.output.reader() == Reader::Program => Err(Failure::usage(
                "with --json the archive needs a file of its own: give it with -o; nothing was written",
            )),
            None if io::stdout().is_terminal() => Err(Failure::usage(
                "an archive is no text for a terminal: give a file with -o; nothing was written",
            )),
            None => Ok(Self::Output),
        }
    }
}

fn sealed(archive: &Archive<'_>, passphrase: &Passphrase) -> Result<Vec<u8>, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::failed("archive", format!("{error}; nothing was written"));
    let content = archive.to_bytes().map_err(|error| failed(&error))?;
    seal(&content, passphrase, WorkFactor::STANDARD).map_err(|error| failed(&error))
}

/// Opens what was written and compares: a backup that nobody has read is none.
fn check(sealed: &[u8], passphrase: &Passphrase, archive: &Archive<'_>) -> Result<(), Failure> {
    let differs = |why: &str| {
        let message = format!(
            "the archive was written, but reading it back {why}, so it was removed: the disk or this machine's memory may \
             be failing; write it elsewhere"
        );
        Failure::failed("archive", message)
    };
    let content = open(sealed, passphrase).map_err(|error| differs(&format!("failed ({error})")))?;
    let read = Archive::from_bytes(&content).map_err(|error| differs(&format!("failed ({error})")))?;
    if read == *archive { Ok(()) } else { Err(differs("gave something else")) }
}

#[cfg(test)]
mod tests {
    use lockstep_client::proto::ids::{ItemId, VaultId};
    use lockstep_formats::archive::ArchivedVault;

    use super::*;

    fn archive(document: &[u8]) -> Archive<'_> {
        let items = [(ItemId::from_random([7; 16]), document)].into();
        let vaults = [(VaultId([1; 32]), ArchivedVault { name: "Home", items })].into();
        Archive { made_ms: 5, vaults }
    }

    #[test]
    fn an_archive_is_compared_with_what_was_to_be_in_it() {
        let passphrase = Passphrase::new("right").unwrap();
        let quick = WorkFactor::new(1).unwrap();
        let sealed = seal(&archive(b"one").to_bytes().unwrap(), &passphrase, quick).unwrap();
        check(&sealed, &passphrase, &archive(b"one")).unwrap();
        let other = check(&sealed, &passphrase, &archive(b"two")).unwrap_err();
        assert!(other.message.contains("gave something else"), "{other}");
        let mut broken = sealed.clone();
        *broken.last_mut().unwrap() ^= 1;
        assert_eq!(check(&broken, &passphrase, &archive(b"one")).unwrap_err().code, "archive");
        assert!(check(&sealed[..sealed.len() - 1], &passphrase, &archive(b"one")).is_err());
        let other_passphrase = Passphrase::new("wrong").unwrap();
        assert!(check(&sealed, &other_passphrase, &archive(b"one")).is_err());
    }
}
