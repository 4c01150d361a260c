//! Why a command did not succeed: a stable code, a sentence, an exit code.

use std::fmt;

use lockstep_client::api::ServerWords;

use crate::exit::Exit;
use crate::output::{sentence, shown_path};

/// A command did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The stable machine code, as in `{"error":{"code":…}}`.
    pub code: &'static str,
    /// What happened, what was kept, what to do next. No secrets.
    pub message: String,
    /// The exit code.
    pub exit: Exit,
    /// What the server said, if it did: never part of the message.
    pub server: Option<ServerWords>,
}

impl Failure {
    /// A failure with this code.
    pub fn new(exit: Exit, code: &'static str, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string(), exit, server: None }
    }

    /// Something did not work: exit code 1.
    pub fn failed(code: &'static str, message: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, code, message)
    }

    /// The command line asks for something impossible: exit code 2.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// A file of this machine cannot be used.
    pub fn file(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::failed("file", format!("{what} {} cannot be used: {error}", shown_path(path)))
    }

    /// The same failure, with a sentence before its message.
    pub fn after(mut self, first: &str) -> Self {
        self.message = format!("{first} {}", sentence(&self.message));
        self
    }

    /// The same failure, with what the server said.
    pub fn said(self, server: Option<ServerWords>) -> Self {
        Self { server: self.server.or(server), ..self }
    }

    /// All of it for a person: the message as a sentence, then the server's words on a line of their own.
    pub fn told(&self) -> String {
        let server = self.server.as_ref().map(|words| format!("\n{words}")).unwrap_or_default();
        format!("{}{server}", sentence(&self.message))
    }

    /// Whether trying again later is all there is to do.
    pub fn is_temporary(&self) -> bool {
        self.exit == Exit::Unreachable
    }
}
