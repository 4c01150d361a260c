//! Why a call did not succeed.

use lockstep_proto::api::vaults::Overtaken;
use lockstep_proto::api::{ErrorCode, Problem};

use super::words::ServerWords;
use crate::ports::TransportError;

/// Why an answer is not one of this interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Garbage {
    /// The body is empty.
    #[error("the answer is empty")]
    Empty,
    /// The body is of another kind.
    #[error("the answer is not of the expected kind")]
    ContentType,
    /// The body ends early, goes on after its end, is too deep, or is not what was asked for.
    #[error("the answer cannot be read")]
    Body,
    /// The status is neither a success nor a problem.
    #[error("the answer has an unexpected status")]
    Status,
}

/// A call did not succeed. Nothing on this device has changed by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// No answer came: whether the server acted is unknown.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server refuses. What is displayed is this program's name for it; what the server says is the cause.
    #[error("the server refused the request: {}", in_a_sentence(.problem.code.title()))]
    Refused {
        /// Which failure; its words are taken out.
        problem: Box<Problem>,
        /// The server's own words.
        #[source]
        words: Option<ServerWords>,
    },
    /// The answer is not one of a Lockstep server. Whether it acted is unknown.
    #[error(
        "the server's answer was not understood (status {status}: {what}); is the address a Lockstep server's?"
    )]
    Garbage {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        what: Garbage,
        /// Seconds to wait, if the answer asks for patience.
        retry_after: Option<u64>,
    },
    /// The request is larger than any server takes.
    #[error("the request is {length} bytes, more than a server takes; nothing was sent")]
    RequestTooLarge {
        /// The request's length in bytes.
        length: usize,
    },
}

/// The words are kept apart from the rest, so that nothing shows them by mistake.
impl From<Problem> for ApiError {
    fn from(mut problem: Problem) -> Self {
        let told = [std::mem::take(&mut problem.detail), std::mem::take(&mut problem.title)];
        problem.kind.clear();
        let words = told.iter().find_map(|text| ServerWords::new(text));
        Self::Refused { problem: Box::new(problem), words }
    }
}

fn in_a_sentence(title: &str) -> String {
    let mut characters = title.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

impl ApiError {
    /// The problem's code, if the server gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        self.problem().map(|problem| problem.code)
    }

    /// The problem, if the server gave one; without its words.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// What overtook a commit, if the server brought it along.
    pub(crate) fn into_overtaken(self) -> Option<Overtaken> {
        match self {
            Self::Refused { problem, .. } => problem.overtaken.map(|overtaken| *overtaken),
            _ => None,
        }
    }

    /// Whether there is no way to the server now.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Transport(TransportError::Unreachable(_) | TransportError::TimedOut))
    }
}
