//! Old versions are looked after in the background, as long as the server runs.

use std::time::Duration;

use lockstep_domain::services::Retention;
use tokio::time::{MissedTickBehavior, interval};

/// From the start of one walk over all vaults to that of the next, unless the walk takes longer.
const PERIOD: Duration = Duration::from_secs(3_600);

/// Walks now and then every hour, as long as it is polled. Dropped at any point it leaves nothing half-done.
pub(crate) async fn look_after(retention: Retention) {
    let mut hourly = interval(PERIOD);
    hourly.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        hourly.tick().await;
        match retention.walk().await {
            Ok(gone) if gone.versions == 0 => tracing::debug!("no old version had to go"),
            Ok(gone) => tracing::info!(
                history.versions = gone.versions,
                history.bytes = gone.bytes,
                "old versions of items were removed"
            ),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "not all old versions could be removed; the next try is in an hour"
            ),
        }
    }
}
