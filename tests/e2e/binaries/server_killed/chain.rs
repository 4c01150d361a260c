//! A vault as its public interface shows it, verified from the genesis on.

use lockstep_client::api::{Api, ApiError, TokenSource};
use lockstep_native::{HttpOptions, HttpTransport};
use lockstep_proto::api::account::LogQuery;
use lockstep_proto::api::items::{ItemsQuery, StoredItem, VersionsQuery};
use lockstep_proto::api::vaults::{CommitsQuery, Committed, ControlQuery, PostCommit};
use lockstep_proto::blob::blob_hash;
use lockstep_proto::digest::{Leaf, digest_of};
use lockstep_proto::ids::{ItemId, VaultId};
use lockstep_proto::log::{AccountState, Entry, LogHead, VaultState};
use lockstep_proto::sign::Signed;
use lockstep_tests::TestDevice;

/// A token that some device has.
struct Borrowed(String);

#[async_trait::async_trait]
impl TokenSource for Borrowed {
    async fn token(&self) -> Result<String, ApiError> {
        Ok(self.0.clone())
    }

    fn forget(&self, _: &str) {}
}

/// Reads with a device's session.
pub(super) struct Reader {
    api: Api,
    token: Borrowed,
    vault_id: VaultId,
}

/// All commits of a vault.
pub(super) struct Chain {
    pub(super) heads: Vec<LogHead>,
    state: VaultState,
}

impl Chain {
    pub(super) fn contains(&self, head: &LogHead) -> bool {
        self.heads.get(head.seq.0 as usize) == Some(head)
    }
}

impl Reader {
    pub(super) async fn of(device: &TestDevice, url: &str) -> Self {
        let seen = device.net.server().seen();
        let token = seen.into_iter().rev().find_map(|request| request.token).unwrap();
        let transport = HttpTransport::new(url, &HttpOptions::default()).unwrap();
        let api = Api::new(std::sync::Arc::new(transport));
        Self { api, token: Borrowed(token), vault_id: device.vault().await.unwrap() }
    }

    /// The vault's log; every rule of the verifier holds, and the control page agrees with it.
    pub(super) async fn chain(&self) -> Chain {
        let author = self.author().await;
        let (mut heads, mut state) = (Vec::<LogHead>::new(), None::<VaultState>);
        let mut last = None;
        loop {
            let query = CommitsQuery { after: heads.last().map(|head| head.seq), limit: None };
            let page = self.api.commits(&self.token, &self.vault_id, &query).await.unwrap();
            for stored in page.commits {
                let entry = Entry::from_wire(&stored.commit, &stored.body).unwrap();
                let next = match &state {
                    None => VaultState::from_genesis(&entry, &author).unwrap(),
                    Some(state) => state.apply(&entry, &author).unwrap(),
                };
                heads.push(next.head());
                state = Some(next);
                last = Some(stored);
            }
            if !page.more {
                assert_eq!(heads.last(), Some(&page.head));
                break;
            }
        }
        let control = self.api.control(&self.token, &self.vault_id, &ControlQuery::default()).await.unwrap();
        assert_eq!((Some(&control.head), Some(control.last)), (heads.last(), last));
        Chain { heads, state: state.unwrap() }
    }

    /// The current items: blobs hash as named, and together they are what the chain's head signs.
    pub(super) async fn items(&self, chain: &Chain) -> Vec<ItemId> {
        let (mut items, mut query) = (Vec::<StoredItem>::new(), ItemsQuery::default());
        loop {
            let page = self.api.items(&self.token, &self.vault_id, &query).await.unwrap();
            items.extend(page.items);
            if !page.more {
                break;
            }
            let last = items.last().unwrap();
            query = ItemsQuery { after_seq: Some(last.seq), after_item: Some(last.item_id), upto: None };
        }
        assert!(items.iter().all(|item| blob_hash(&item.blob) == item.blob_hash));
        let leaf = |item: &StoredItem| Leaf { version: item.version, blob_hash: item.blob_hash };
        let leaves: Vec<_> = items.iter().map(|item| (item.item_id, leaf(item))).collect();
        let digest = digest_of(&self.vault_id, leaves.iter().map(|(item_id, leaf)| (item_id, leaf)));
        assert_eq!(digest, chain.state.digest());
        assert_eq!(items.len() as u64, chain.state.live() + chain.state.tombstones());
        if let Some(newest) = items.last() {
            let query = VersionsQuery::default();
            let kept = self.api.versions(&self.token, &self.vault_id, &newest.item_id, &query).await.unwrap();
            assert_eq!((kept.versions[0].version, kept.versions[0].seq), (newest.version, newest.seq));
            assert_eq!(kept.versions.len() as u64, newest.version.0);
        }
        items.into_iter().map(|item| item.item_id).collect()
    }

    /// Sends a commit again.
    pub(super) async fn resend(&self, commit: &PostCommit) -> Result<Committed, ApiError> {
        self.api.post_commit(&self.token, &self.vault_id, commit).await
    }

    async fn author(&self) -> AccountState {
        let (mut links, mut after) = (Vec::new(), None);
        loop {
            let page = self.api.account_log(&self.token, &LogQuery { after }).await.unwrap();
            links.extend(page.links.iter().map(|link| Signed::from_wire(link).unwrap()));
            if !page.more {
                return AccountState::from_links(&links).unwrap();
            }
            after = links.last().map(|link: &Signed<lockstep_proto::log::AccountLink>| link.value().seq);
        }
    }
}
