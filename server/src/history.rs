//! Old versions, and staging areas that nobody goes on with, are looked after in the background, as long as the server runs.

use std::sync::Arc;
use std::time::Duration;

use lockstep_domain::services::Retention;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;

/// From the start of one walk over all vaults to that of the next, unless the walk takes longer.
const PERIOD: Duration = Duration::from_secs(3_600);

/// Walks now and then every hour, as long as it is polled. Dropped at any point it leaves nothing half-done.
pub(crate) async fn look_after(retention: Retention, app: Arc<App>) {
    let mut hourly = interval(PERIOD);
    hourly.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        hourly.tick().await;
        if let Err(error) = app.services.heal_vaults.sweep().await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "old staging areas could not be removed"
            );
        }
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
