//! Whether what is in memory is what the local store holds.
//!
//! A caller may drop a call while the store writes. The store may finish that write, and memory does not know; so the
//! next call that writes reads the vaults anew first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ports::{Batch, LocalStore, LocalStoreError, Table};

/// A local store that remembers writes whose end nobody has seen.
pub(super) struct Settling {
    inner: Arc<dyn LocalStore>,
    open: AtomicUsize,
}

impl Settling {
    pub(super) fn new(inner: Arc<dyn LocalStore>) -> Self {
        Self { inner, open: AtomicUsize::new(0) }
    }

    /// Whether every write since the last [`Settling::settle`] was seen to end well.
    pub(super) fn is_settled(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    /// Memory was read anew.
    pub(super) fn settle(&self) {
        self.open.store(0, Ordering::Relaxed);
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
impl LocalStore for Settling {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LocalStoreError> {
        self.inner.read(table, key).await
    }

    async fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, LocalStoreError> {
        self.inner.scan(table, prefix, after, limit).await
    }

    async fn write(&self, batch: Batch) -> Result<(), LocalStoreError> {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.inner.write(batch).await?;
        self.open.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}
