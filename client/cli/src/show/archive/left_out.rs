//! Items of an archive that were not taken, and why.

use std::fmt;

use lockstep_client::proto::ids::ItemId;

/// An item that was not taken; what is here is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) item_id: ItemId,
    pub(crate) title: Option<String>,
    pub(crate) why: Why,
}

/// Why an item was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// Its document is of a later version, or damaged.
    Unreadable(String),
    /// Together with what is here it would be larger than an item can be.
    TooLarge,
    /// What is here was written by a later version, and would be lost below what is written over it.
    NewerHere,
    /// Its time stamps are the last ones there are, so that nothing could be written into the item any more.
    LastStamps,
    /// Another vault of the archive has an item of the same id, and went into the same vault.
    Twice,
    /// It would be no item that anybody sees.
    NameKind,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => {
                write!(f, "it cannot be read ({error}): update Lockstep and import again")
            }
            Self::TooLarge => f.write_str(
                "it would be too large with what it holds here already; make that shorter and import again",
            ),
            Self::NewerHere => {
                f.write_str("a newer version of Lockstep wrote what is here: update and import again")
            }
            Self::LastStamps => f.write_str(
                "its time stamps are next to the last possible ones, with which an item cannot be edited any more",
            ),
            Self::Twice => f.write_str(
                "another vault of the archive has an item of the same id, which came in: import again without --vault",
            ),
            Self::NameKind => f.write_str("it holds the name of a vault or a device, which is no item"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_says_what_to_do_or_that_nothing_is_lost() {
        let reasons = [
            Why::Unreadable("no CBOR".into()),
            Why::TooLarge,
            Why::NewerHere,
            Why::LastStamps,
            Why::NameKind,
        ];
        insta::assert_snapshot!(reasons.map(|why| why.to_string()).join("\n"), @r#"
        it cannot be read (no CBOR): update Lockstep and import again
        it would be too large with what it holds here already; make that shorter and import again
        a newer version of Lockstep wrote what is here: update and import again
        its time stamps are next to the last possible ones, with which an item cannot be edited any more
        it holds the name of a vault or a device, which is no item
        "#);
    }
}
