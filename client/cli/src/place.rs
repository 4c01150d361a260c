//! Where profiles live: one folder for each, readable by its owner alone.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::failure::Failure;

/// The name of a profile: what makes two devices out of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileName(String);

impl ProfileName {
    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ProfileName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
        if text.is_empty() || text.len() > 32 || !text.chars().all(allowed) {
            return Err("a profile's name has 1 to 32 letters, digits, - and _".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

/// A profile's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// The place of a profile: below `$LOCKSTEP_HOME`, else below the user's data folder.
    ///
    /// # Errors
    /// A [`Failure`] where no home folder is known.
    pub fn of(profile: &ProfileName) -> Result<Self, Failure> {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = home(variable).ok_or_else(|| {
            Failure::failed(
                "no-home",
                "no home folder is known: set LOCKSTEP_HOME to where profiles may live",
            )
        })?;
        Ok(Self { folder: home.join(profile.as_str()) })
    }

    /// The place with this folder.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder; it may not exist yet.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a process that keeps the profile unlocked listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("agent.sock")
    }
}

fn home(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    variable("LOCKSTEP_HOME").or_else(|| {
        let data = variable("XDG_DATA_HOME").filter(|path| path.is_absolute());
        let data = data.or_else(|| variable("LOCALAPPDATA"));
        data.or_else(|| Some(variable("HOME")?.join(".local/share"))).map(|data| data.join("lockstep"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Option<PathBuf> {
        home(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| PathBuf::from(value)))
    }

    #[test]
    fn the_home_is_what_lockstep_home_says_else_the_data_folder() {
        assert_eq!(found(&[("LOCKSTEP_HOME", "/l"), ("HOME", "/h")]), Some("/l".into()));
        assert_eq!(found(&[("XDG_DATA_HOME", "/x"), ("HOME", "/h")]), Some("/x/lockstep".into()));
        assert_eq!(
            found(&[("XDG_DATA_HOME", "relative"), ("HOME", "/h")]),
            Some("/h/.local/share/lockstep".into())
        );
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn a_profile_name_cannot_leave_its_folder() {
        for wrong in ["", "..", "a/b", "a b", "ä", &"x".repeat(33)] {
            assert!(wrong.parse::<ProfileName>().is_err(), "{wrong}");
        }
        assert_eq!("phone-2".parse::<ProfileName>().unwrap().as_str(), "phone-2");
    }
}
