//! An account that is full: what is still sent then.

use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::vaults::Room;
use lockstep_proto::ids::VaultId;

use super::error::SyncError;
use super::in_flight::InFlight;
use super::outbox::{Edit, OutboxEntry};
use crate::api::ApiError;
use crate::vault::OpenVault;

/// What is sent, after what the server had no room for.
#[derive(Debug, Default)]
pub(super) struct Fullness {
    step: Step,
    cause: Option<ApiError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Step {
    /// Everything.
    #[default]
    Any,
    /// What fits into so many bytes.
    Within(u64),
    /// Purges, which are taken in any case.
    Purges,
}

impl Fullness {
    /// What is sent next, after this commit was refused and the server said what the account takes. `None` where nothing else
    /// is left: what purges, or brings a key, is refused by no server that counts.
    pub(super) fn narrowed(&self, told: Option<Room>, refused: &InFlight) -> Option<Self> {
        if refused.edits().is_empty() || refused.edits().values().all(|entry| entry.edit == Edit::Purge) {
            return None;
        }
        let step = match (self.step, told) {
            (Step::Any, Some(room)) if room.bytes > 0 => Step::Within(room.bytes),
            _ => Step::Purges,
        };
        Some(Self { step, cause: None })
    }

    /// With what the server said.
    pub(super) fn because(self, error: ApiError) -> Self {
        Self { cause: Some(error), ..self }
    }

    /// Sends purges from here on, where nothing else fits into what the account takes; `false` where that was not so.
    pub(super) fn turn_to_purges(&mut self) -> bool {
        let fits = matches!(self.step, Step::Within(_));
        if fits {
            self.step = Step::Purges;
        }
        fits
    }

    /// Whether an edit may be sent.
    pub(super) fn lets(&self, entry: &OutboxEntry) -> bool {
        self.step != Step::Purges || entry.edit == Edit::Purge
    }

    /// What the blobs of a commit may take, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        match self.step {
            Step::Within(bytes) => bytes,
            Step::Any | Step::Purges => u64::MAX,
        }
    }

    /// The end of a push: whether something waits for room.
    ///
    /// # Errors
    /// [`SyncError::Full`].
    pub(super) fn end(self, vault: &OpenVault) -> Result<(), SyncError> {
        self.cause.map_or(Ok(()), |error| Err(full(vault, error)))
    }
}

/// Whether the server has no room.
pub(super) fn is_full(error: &ApiError) -> bool {
    matches!(error.code(), Some(ErrorCode::QuotaExceeded | ErrorCode::InsufficientStorage))
}

/// What the server had no room for waits.
pub(super) fn full(vault: &OpenVault, error: ApiError) -> SyncError {
    let vault_id: VaultId = vault.vault_id();
    match error.code() {
        Some(ErrorCode::InsufficientStorage) => SyncError::ServerFull { vault_id, source: error },
        _ => {
            let room = error.problem().and_then(|problem| problem.room);
            SyncError::Full { vault_id, room, source: error }
        }
    }
}
