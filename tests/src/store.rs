//! A local store that remembers every state it was in.

use std::sync::{Arc, Mutex, PoisonError};

use lockstep_client::ports::{Batch, LocalStore, LocalStoreError, MemoryLocalStore, Table, Write};

use crate::kill::{KillSwitch, Step};

/// Records in memory, and a snapshot after every write: what a power cut at that moment would leave.
pub struct RecordingStore {
    now: MemoryLocalStore,
    history: Mutex<Option<Vec<MemoryLocalStore>>>,
    written: Mutex<Option<Vec<Vec<u8>>>>,
    switch: Arc<KillSwitch>,
}

impl RecordingStore {
    /// A store that starts with these records and does not record yet.
    pub fn new(now: MemoryLocalStore, switch: Arc<KillSwitch>) -> Self {
        Self { now, history: Mutex::new(None), written: Mutex::new(None), switch }
    }

    /// From now on every state is kept, beginning with this one.
    pub fn record(&self) {
        *self.lock() = Some(vec![self.now.snapshot()]);
    }

    /// The states since [`Self::record`], and no more from now on.
    pub fn take_history(&self) -> Vec<MemoryLocalStore> {
        self.lock().take().unwrap_or_default()
    }

    /// From now on every key and value that is written is kept, for tests that look for plaintext.
    pub fn watch(&self) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// The keys and values that were written since [`Self::watch`] or the last time.
    pub fn take_written(&self) -> Vec<Vec<u8>> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What a power cut now would leave.
    pub fn snapshot(&self) -> MemoryLocalStore {
        self.now.snapshot()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Vec<MemoryLocalStore>>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl LocalStore for RecordingStore {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LocalStoreError> {
        self.now.read(table, key).await
    }

    async fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, LocalStoreError> {
        self.now.scan(table, prefix, after, limit).await
    }

    async fn write(&self, batch: Batch) -> Result<(), LocalStoreError> {
        if self.switch.pass(Step::BeforeWrite).await {
            return Err(LocalStoreError::Full);
        }
        if let Some(written) = &mut *self.written.lock().unwrap_or_else(PoisonError::into_inner) {
            for write in batch.writes() {
                if let Write::Put { key, value, .. } = write {
                    written.extend([key.clone(), value.clone()]);
                }
            }
        }
        self.now.write(batch).await?;
        if let Some(history) = &mut *self.lock() {
            history.push(self.now.snapshot());
        }
        self.switch.pass(Step::AfterWrite).await;
        Ok(())
    }
}
