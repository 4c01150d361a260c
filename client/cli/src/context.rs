//! What every command is given.

use std::path::PathBuf;

use lockstep_native::HttpOptions;

use crate::arguments::Global;
use crate::failure::Failure;
use crate::output::Output;
use crate::place::{Place, ProfileName};
use crate::questions::Answers;
use crate::secrets::Source;

/// Whether a command may talk to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// It may.
    Online,
    /// `--offline`: what is changed waits.
    Offline,
}

/// What every command is given: where the profile is, who answers, who reads.
#[derive(Debug, Clone)]
pub struct Context {
    /// The profile's name.
    pub profile: ProfileName,
    /// Its folder.
    pub place: Place,
    /// Where the account's password comes from.
    pub password: Source,
    /// Who answers questions.
    pub answers: Answers,
    /// Whether to talk to the server.
    pub connection: Connection,
    /// Where results go.
    pub output: Output,
    /// Certificates to trust besides the system's.
    ca: Option<PathBuf>,
}

impl Context {
    /// The context that these options ask for, with results going to `output`.
    ///
    /// # Errors
    /// A [`Failure`] where no home folder is known.
    pub fn of(global: Global, output: Output) -> Result<Self, Failure> {
        Ok(Self {
            place: Place::of(&global.profile)?,
            profile: global.profile,
            password: Source::of(global.password_fd),
            answers: if global.yes { Answers::Yes } else { Answers::Person },
            connection: if global.offline { Connection::Offline } else { Connection::Online },
            ca: global.ca,
            output,
        })
    }

    /// How to connect to the server.
    ///
    /// # Errors
    /// A [`Failure`] when the file of certificates cannot be read.
    pub fn http(&self) -> Result<HttpOptions, Failure> {
        let pem = self.ca.as_deref().map(|path| {
            std::fs::read(path).map_err(|error| Failure::file("the file of certificates", path, &error))
        });
        Ok(HttpOptions { extra_ca_pem: pem.transpose()?, ..HttpOptions::default() })
    }

    /// ` --profile NAME` for commands that a message proposes; empty for the default profile.
    pub fn option(&self) -> String {
        match self.profile.as_str() {
            "default" => String::new(),
            name => format!(" --profile {name}"),
        }
    }
}
