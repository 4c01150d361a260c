//! Where the vaults of an archive go. Pure, so that importing again finds the same places.
//!
//! ```text
//! this account has a vault of the same id     that one: an item keeps its one home
//! else --vault was given                      that one: what a person says outranks a guess by name
//! else this account has one of the same name  that one
//! else                                        a new vault of that name
//! ```

use std::collections::BTreeSet;

use lockstep_client::proto::ids::VaultId;

use crate::output::clean_line;

/// A name that a vault can be made with, in bytes at most.
const NAME_BYTES: usize = 1_024;

/// Where a vault of an archive goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Into one that this account has.
    Vault(VaultId),
    /// Into a new one of this name.
    New(String),
}

impl Place {
    /// The name of a vault that is to be made.
    pub(super) fn new_name(&self) -> Option<&str> {
        match self {
            Self::New(name) => Some(name),
            Self::Vault(_) => None,
        }
    }
}

/// Why there is no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPlace {
    /// Several vaults of the account have the name.
    #[error(
        "several vaults of this account are named \"{}\" ({}): say into which one with --vault",
        clean_line(name),
        listed(ids)
    )]
    Ambiguous {
        /// The name.
        name: String,
        /// These.
        ids: Vec<VaultId>,
    },
    /// No vault should have such a name.
    #[error(
        "a vault of the archive has a name of {bytes} bytes, too long for a new vault: say into which one it is to go with --vault"
    )]
    LongName {
        /// Its length.
        bytes: usize,
    },
}

fn listed(ids: &[VaultId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A place for each vault of the archive, in its order. `own` are the vaults of the account, `chosen` is what `--vault`
/// names.
///
/// # Errors
/// [`NoPlace`] for the first that has none.
pub(super) fn places(
    archived: &[(VaultId, &str)],
    own: &[(VaultId, String)],
    chosen: Option<VaultId>,
) -> Result<Vec<Place>, NoPlace> {
    let at_home: BTreeSet<VaultId> =
        archived.iter().map(|(id, _)| *id).filter(|id| own.iter().any(|(own, _)| own == id)).collect();
    let mut names = BTreeSet::new();
    let mut places = Vec::new();
    for (vault_id, name) in archived {
        places.push(match chosen {
            _ if at_home.contains(vault_id) => Place::Vault(*vault_id),
            Some(chosen) => Place::Vault(chosen),
            None => by_name(free_name(vault_id, name, &mut names), own, &at_home)?,
        });
    }
    Ok(places)
}

/// A vault that another of the archive is at home in is not taken for one of the same name: they were two.
fn by_name(name: String, own: &[(VaultId, String)], at_home: &BTreeSet<VaultId>) -> Result<Place, NoPlace> {
    let same = own.iter().filter(|(id, own)| *own == name && !at_home.contains(id)).map(|(id, _)| *id);
    match same.collect::<Vec<_>>().as_slice() {
        [only] => Ok(Place::Vault(*only)),
        [] if name.len() > NAME_BYTES => Err(NoPlace::LongName { bytes: name.len() }),
        [] => Ok(Place::New(name)),
        several => Err(NoPlace::Ambiguous { name, ids: several.to_vec() }),
    }
}

/// The name, told apart from those of the vaults before it: two vaults of one name stay two, under the same two names
/// each time.
fn free_name(vault_id: &VaultId, name: &str, taken: &mut BTreeSet<String>) -> String {
    let name = if name.is_empty() {
        let id = vault_id.to_string();
        format!("Vault {}", id.get(..8).unwrap_or(&id))
    } else {
        name.to_owned()
    };
    let numbered = (2_u64..).map(|number| format!("{name} ({number})"));
    let mut candidates = std::iter::once(name.clone()).chain(numbered);
    let free = candidates.find(|candidate| !taken.contains(candidate)).unwrap_or(name);
    taken.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> VaultId {
        VaultId([number; 32])
    }

    fn own(vaults: &[(u8, &str)]) -> Vec<(VaultId, String)> {
        vaults.iter().map(|(number, name)| (id(*number), (*name).to_owned())).collect()
    }

    fn found(
        archived: &[(u8, &str)],
        vaults: &[(u8, &str)],
        chosen: Option<u8>,
    ) -> Result<Vec<Place>, NoPlace> {
        let archived: Vec<_> = archived.iter().map(|(number, name)| (id(*number), *name)).collect();
        places(&archived, &own(vaults), chosen.map(id))
    }

    fn new(name: &str) -> Place {
        Place::New(name.to_owned())
    }

    #[test]
    fn a_vault_goes_home_then_where_it_is_told_then_by_its_name_else_into_a_new_one() {
        let here = [(1, "Renamed"), (7, "Personal"), (8, "Target")];
        let archived = [(1, "Home"), (2, "Personal"), (3, "Work")];
        let by_itself = vec![Place::Vault(id(1)), Place::Vault(id(7)), new("Work")];
        assert_eq!(found(&archived, &here, None).unwrap(), by_itself);
        let told = vec![Place::Vault(id(1)), Place::Vault(id(8)), Place::Vault(id(8))];
        assert_eq!(found(&archived, &here, Some(8)).unwrap(), told);
    }

    #[test]
    fn two_vaults_of_one_name_stay_two_and_are_found_again() {
        let archived = [(1, "Home"), (2, "Home"), (3, "Home (2)"), (4, "")];
        let made = found(&archived, &[], None).unwrap();
        let unnamed = format!("Vault {}", &id(4).to_string()[..8]);
        assert_eq!(made, [new("Home"), new("Home (2)"), new("Home (2) (2)"), new(&unnamed)]);
        let here = [(11, "Home"), (12, "Home (2)"), (13, "Home (2) (2)"), (14, unnamed.as_str())];
        let again: Vec<_> = (11..15).map(|number| Place::Vault(id(number))).collect();
        assert_eq!(found(&archived, &here, None).unwrap(), again);
    }

    #[test]
    fn a_vault_that_another_one_is_at_home_in_is_not_meant_by_its_name() {
        let archived = [(1, "Home"), (2, "Home")];
        assert_eq!(found(&archived, &[(1, "Home")], None).unwrap(), [Place::Vault(id(1)), new("Home")]);
        let again = [Place::Vault(id(1)), Place::Vault(id(9))];
        assert_eq!(found(&archived, &[(1, "Home"), (9, "Home")], None).unwrap(), again);
    }

    #[test]
    fn where_nobody_can_tell_it_is_asked() {
        let here = [(8, "Home"), (9, "Home")];
        let ids = vec![id(8), id(9)];
        assert_eq!(found(&[(1, "Home")], &here, None), Err(NoPlace::Ambiguous { name: "Home".into(), ids }));
        assert!(found(&[(1, "Home")], &here, Some(9)).is_ok());
        let long = "x".repeat(2_000);
        assert_eq!(found(&[(1, &long)], &here, None), Err(NoPlace::LongName { bytes: 2_000 }));
    }
}
