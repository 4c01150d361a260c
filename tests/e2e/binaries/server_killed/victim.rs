//! What rounds of blows need of a server.

/// A server that can be struck from any thread.
pub(crate) trait Victim: Send + Sync + 'static {
    /// Its address, the same after every start.
    fn url(&self) -> &str;

    /// SIGKILL, now.
    fn kill(&self);

    /// Returns when it works again, on what it kept.
    fn start_again(&self);

    /// Ends every session of the server with its database, whatever it is doing.
    fn cut_sessions(&self);
}
