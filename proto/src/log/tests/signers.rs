//! Who has signed a commit, whatever its place: what may be kept of sides that nobody has verified yet.

use super::fixture::*;
use crate::log::*;

#[test]
fn a_commit_is_of_its_vault_and_signed_by_a_device_that_was_of_the_account() {
    let mut account = TestAccount::new("anna", "laptop");
    account.add_device("laptop", "phone");
    let mut vault = account.add_vault("laptop", "home");
    vault.write(&account.state, "phone", &[("bank", "bank 1")]);
    let check = |entry: &Entry, account: &TestAccount| entry.check_signer(vault.id(), &account.state);
    for entry in &vault.entries {
        assert_eq!(check(entry, &account), Ok(()), "the genesis, which names no vault, and what follows");
    }
    let written = &vault.entries[1];
    let elsewhere = resign(written, "phone", |commit| commit.vault_id = named("another").into());
    assert_eq!(check(&elsewhere, &account), Err(CommitError::Vault));
    assert!(matches!(check(&resign(written, "laptop", |_| ()), &account), Err(CommitError::Signature(_))));
    let stranger = resign(written, "phone", |commit| commit.author_device = device_id("stranger"));
    assert_eq!(check(&stranger, &account), Err(CommitError::Author(device_id("stranger"))));

    // A removal says which commits count, and that is judged with the chain: the device signed it all the same.
    account.heads.insert(vault.id(), vault.entries[0].commit.value().head(vault.entries[0].commit.hash()));
    let rekey = account.rekey(RekeyReason::Lost, &["phone"]);
    account.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    assert_eq!(vault.state.cut_offs(&account.state), Err(CommitError::Author(device_id("phone"))));
    assert_eq!(check(written, &account), Ok(()));
    let after = resign(written, "phone", |commit| commit.author_position = account.state.head());
    assert_eq!(check(&after, &account), Err(CommitError::Author(device_id("phone"))));
}
