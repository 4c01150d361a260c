//! What an import tells about the file itself.

use std::fmt;

use crate::Place;

/// Something that a person may want to know about the file.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileRemark {
    /// Cut off.
    #[error("the file ends early, at {at}: what is complete before it was read, the rest is not in the file")]
    EndsEarly {
        /// Where.
        at: Place,
    },
    /// Broken, with nothing that can be read behind it.
    #[error("the file is damaged at {at}: what stands before it was read, nothing behind it could be")]
    Broken {
        /// Where.
        at: Place,
    },
    /// Broken, with items behind it that were read.
    #[error("the file is damaged at {at}: what stands there was left out, and the items behind it were read")]
    Skipped {
        /// Where.
        at: Place,
    },
    /// More entries than an import may have.
    #[error("the file has more than {limit} entries: those from {at} on were left out")]
    TooMany {
        /// Entries allowed.
        limit: usize,
        /// Where the first one beyond stands.
        at: Place,
    },
    /// Something behind the JSON.
    #[error("the export ends before {at}; what stands there is no part of it and was ignored")]
    TrailingText {
        /// Where it begins.
        at: Place,
    },
    /// A file of the zip archive, an attachment for example.
    #[error("the file `{path}` of the zip archive was left out: Lockstep keeps no files yet")]
    FileLeftOut {
        /// Its path. Do not log it.
        path: String,
    },
}

impl FileRemark {
    /// Whether something of the file was left out.
    pub fn leaves_out(&self) -> bool {
        !matches!(self, Self::TrailingText { .. })
    }

    /// The place that it is about.
    pub fn at(&self) -> Option<Place> {
        match self {
            Self::EndsEarly { at }
            | Self::Broken { at }
            | Self::Skipped { at }
            | Self::TooMany { at, .. }
            | Self::TrailingText { at } => Some(*at),
            Self::FileLeftOut { .. } => None,
        }
    }
}

impl fmt::Debug for FileRemark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at() {
            Some(at) => write!(f, "remark at {at}"),
            None => f.write_str("a file of the archive was left out"),
        }
    }
}
