//! What a server keeps, to be compared: a refusal leaves it as it was.

use lockstep_domain::store::{ItemPlace, StagePlace, VaultReader};
use lockstep_store::postgres::testing::TestDatabase;

use super::{Account, Vault, World};

impl World {
    /// Everything stored about an account and a vault, and every byte of the database's files or tables.
    pub(crate) async fn state(&self, account: &Account, vault: &Vault) -> Vec<String> {
        let reader = VaultReader { vault_id: vault.id, account_id: account.id };
        let mut state = vec![
            format!("{:?}", self.store.link_page(account.id, None).await.unwrap()),
            format!("{:?}", self.store.record(account.id).await.unwrap()),
            format!("{:?}", self.store.checkpoint(vault.id).await.unwrap()),
            format!("{:?}", self.store.commit_page(reader, None, 1_000).await.unwrap()),
            format!("{:?}", self.store.item_page(reader, ItemPlace::default()).await.unwrap()),
        ];
        let place = StagePlace { vault_id: vault.id, account_id: account.id };
        state.push(format!("{:?}", self.store.side_page(reader, None).await.unwrap()));
        state.push(format!("{:?}", self.store.staged_sides(place, None).await.unwrap()));
        let head = vault.head;
        state.push(format!("{:?}", self.store.bars(vault.id, head).await.unwrap().map(|vault| vault.bars)));
        state.push(format!("{:?}", self.folder.database.get().map(TestDatabase::contents)));
        for name in ["lockstep.db", "lockstep.db-wal"] {
            // The store in memory has no files.
            state.push(format!("{:?}", std::fs::read(self.folder.path().join(name)).ok()));
        }
        state
    }
}
