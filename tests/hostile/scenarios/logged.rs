//! Every line that client and server log in this process, down to the finest level of their own crates.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing_subscriber::EnvFilter;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static STARTED: OnceLock<()> = OnceLock::new();

/// Finer than anybody runs a server, but for libraries whose finest level writes whole buffers.
const FILTER: &str = "debug,lockstep_server=trace,lockstep_domain=trace,lockstep_store=trace,actix_web=trace";

/// From now on lines are kept. Only the first call does anything.
pub(crate) fn listen() {
    STARTED.get_or_init(|| {
        let builder = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(FILTER));
        builder.with_ansi(false).with_writer(|| Lines).init();
    });
}

/// How much was logged so far.
pub(crate) fn end() -> usize {
    lines().len()
}

/// What was logged since then.
pub(crate) fn since(end: usize) -> Vec<u8> {
    lines()[end..].to_vec()
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        lines().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lines() -> MutexGuard<'static, Vec<u8>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}
