//! The data folder and the secrets file.

use std::fs::{self, Metadata};
use std::path::Path;

use lockstep_proto::ids::ServerId;
use lockstep_store::StoreUrl;
use rustix::fs::{Access, access, statvfs};

use super::report::Report;
use crate::config::Config;
use crate::secrets_file;

/// A database's write-ahead log and a backup beside it need room, in bytes.
const LITTLE: u64 = 1 << 30;

const FOLDER: &str = "data folder";
const SECRETS: &str = "secrets";
const OWNER: &str = "owner";

/// Whether the folder is there, ours alone, and has room.
pub(super) fn data_folder(config: &Config, report: &mut Report) {
    let folder = config.data_dir.as_path();
    let shown = folder.display();
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => {
            report.mend(FOLDER, format!("{shown} is not a folder: name another one as data_dir"));
        }
        Ok(_) if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() => {
            report.mend(
                FOLDER,
                format!(
                    "{shown} cannot be written by this user: `chown -R USER {shown}`, with the server's user"
                ),
            );
        }
        Ok(found) if others_may_read(&found) => {
            report.mend(FOLDER, format!("{shown} is open to everybody: `chmod o-rwx {shown}`"));
        }
        Ok(_) => room(folder, report),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            report.note(FOLDER, format!("{shown} is not there; the first start makes it"));
        }
        Err(error) => report.mend(FOLDER, format!("{shown} cannot be looked at ({error})")),
    }
}

fn room(folder: &Path, report: &mut Report) {
    let shown = folder.display();
    match statvfs(folder) {
        Ok(system) => {
            let free = system.f_bavail.saturating_mul(system.f_frsize);
            let mebibytes = free >> 20;
            if free < LITTLE {
                report.mend(FOLDER, format!("{shown} has only {mebibytes} MiB left: make room, or move it"));
            } else {
                report.fine(FOLDER, format!("{shown}, {mebibytes} MiB free"));
            }
        }
        Err(error) => report.mend(FOLDER, format!("{shown}: its file system does not answer ({error})")),
    }
}

/// Whether the database's file, and those beside it, belong to whom the folder belongs to: the server runs as that user, and
/// whoever copies a backup back is often another one.
pub(super) fn owners(config: &Config, report: &mut Report) {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(folder) = fs::metadata(&config.data_dir) else { return };
    let mut files = vec![config.secrets_file.clone()];
    if let StoreUrl::Sqlite(path) = &config.database {
        files.extend(["", "-wal", "-shm"].map(|suffix| {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            name.into()
        }));
    }
    for file in files {
        let shown = file.display();
        match fs::metadata(&file) {
            Ok(found) if found.uid() != folder.uid() => report.mend(
                OWNER,
                format!(
                    "{shown} belongs to user {}, the data folder to user {}: `chown {1} {shown}`",
                    found.uid(),
                    folder.uid()
                ),
            ),
            Ok(found) if found.mode() & 0o600 != 0o600 => {
                report.mend(
                    OWNER,
                    format!("{shown} cannot be read and written by its owner: `chmod u+rw {shown}`"),
                );
            }
            Ok(_) | Err(_) => {}
        }
    }
    let user = rustix::process::geteuid();
    if user.as_raw() != folder.uid() {
        report.note(
            OWNER,
            format!(
                "the data folder belongs to user {}, this is run by user {}: it looks with the wrong eyes",
                folder.uid(),
                user.as_raw()
            ),
        );
    }
}

/// Whether the secrets are there and ours alone; gives the id of the server they belong to.
pub(super) fn secrets(config: &Config, has_accounts: bool, report: &mut Report) -> Option<ServerId> {
    let shown = config.secrets_file.display();
    match secrets_file::read(&config.secrets_file) {
        Ok(Some(secrets)) => {
            report.fine(SECRETS, format!("{shown}, of server {}", secrets.server_id()));
            Some(secrets.server_id())
        }
        Ok(None) if has_accounts => {
            report.mend(
                SECRETS,
                format!(
                    "{shown} is missing, and the database has accounts: nobody can sign in until you put it back from your backup"
                ),
            );
            None
        }
        Ok(None) => {
            report.note(SECRETS, format!("{shown} is not there; the first start makes it"));
            None
        }
        Err(error) => {
            report.mend(SECRETS, format!("{:#}", anyhow::Error::new(error)));
            None
        }
    }
}

/// Whether anybody may do anything with it. A group is somebody's choice.
pub(super) fn others_may_read(found: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o007 != 0
}
