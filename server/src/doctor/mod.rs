//! `lockstep-server doctor`: looks at all that a server stands on, changes nothing, and says what to mend.

mod address;
mod clock;
mod database;
mod files;
mod report;
mod tls;

use lockstep_domain::Clock as _;
use lockstep_store::Inspection;

use crate::config::Config;
use crate::system::SystemClock;

use self::report::Report;

/// Looks at everything, prints one line for each thing, and tells whether nothing has to be mended. Needs a Tokio runtime.
///
/// # Errors
/// When standard output is gone.
pub async fn doctor(config: &Config) -> anyhow::Result<bool> {
    let mut report = Report::default();
    files::data_folder(config, &mut report);
    files::owners(config, &mut report);
    let inspected = lockstep_store::inspect(&config.database).await;
    let (has_accounts, clock_ms) = match &inspected {
        Ok(Inspection::Found(found)) => (found.has_accounts, found.clock_ms),
        Ok(Inspection::Absent) | Err(_) => (false, None),
    };
    let secrets = files::secrets(config, has_accounts, &mut report);
    database::check(config, inspected, secrets, &mut report);
    let now_ms = SystemClock.now_ms();
    clock::check(config, now_ms, clock_ms, &mut report);
    tls::check(config, now_ms, &mut report);
    address::check(config, &mut report);
    report.print(&mut std::io::stdout())?;
    Ok(report.is_fine())
}
