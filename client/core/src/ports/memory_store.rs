//! A local store in memory: the executable specification of [`LocalStore`].

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use super::local_store::{Batch, LocalStore, LocalStoreError, Table, Write};

type Records = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// Records in memory; gone with the value.
#[derive(Default)]
pub struct MemoryLocalStore {
    records: Mutex<Records>,
}

impl MemoryLocalStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that holds what this one holds now: what a power cut at this moment would leave.
    pub fn snapshot(&self) -> Self {
        Self { records: Mutex::new(self.lock().clone()) }
    }

    /// All values there are, for tests that look for plaintext.
    pub fn values(&self) -> Vec<Vec<u8>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
impl LocalStore for MemoryLocalStore {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LocalStoreError> {
        Ok(self.lock().get(&(table, key.to_vec())).cloned())
    }

    async fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, LocalStoreError> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded((table, after.to_vec())),
            _ => Bound::Included((table, prefix.to_vec())),
        };
        let records = self.lock();
        let found = records.range((start, Bound::Unbounded));
        let inside = found.take_while(|((found, key), _)| *found == table && key.starts_with(prefix));
        Ok(inside.take(limit).map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    async fn write(&self, batch: Batch) -> Result<(), LocalStoreError> {
        let mut records = self.lock();
        for write in batch.into_writes() {
            match write {
                Write::Put { table, key, value } => {
                    records.insert((table, key), value);
                }
                Write::Delete { table, key } => {
                    records.remove(&(table, key));
                }
                Write::DeletePrefix { table, prefix } => {
                    records.retain(|(found, key), _| *found != table || !key.starts_with(&prefix));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ports::conformance::{self, Fixture};
    use crate::testing::block_on;

    #[derive(Default)]
    struct Memory(Arc<MemoryLocalStore>);

    #[async_trait::async_trait]
    impl Fixture for Memory {
        async fn open(&self) -> Arc<dyn LocalStore> {
            self.0.clone()
        }

        async fn power_cut(&self) -> Arc<dyn LocalStore> {
            Arc::new(self.0.snapshot())
        }
    }

    #[test]
    fn the_memory_store_conforms() {
        block_on(conformance::run(Memory::default));
    }
}
