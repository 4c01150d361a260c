//! The way to the server: one request, one bounded answer.

use super::MaybeSend;

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Writes.
    Post,
    /// Removes.
    Delete,
}

/// A request to the profile's server.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query, starting with `/v1/`.
    pub path: String,
    /// The bearer token, if any.
    pub token: Option<String>,
    /// The body, CBOR; empty unless the method is [`Method::Post`].
    pub body: Vec<u8>,
}

/// The server's answer, whatever its status.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The content type without parameters, lower case; empty if there is none.
    pub content_type: String,
    /// The body: at most what the adapter's limit allows.
    pub body: Vec<u8>,
    /// `Retry-After` in seconds, if the server asks for patience.
    pub retry_after: Option<u64>,
}

/// There is no answer. Whether the server acted is unknown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The server cannot be reached, or the connection broke.
    #[error("the server cannot be reached; your vault works offline and changes wait on this device")]
    Unreachable(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// No answer in time.
    #[error("the server did not answer in time; your changes wait on this device")]
    TimedOut,
    /// TLS failed: the certificate or the protocol.
    #[error("the connection to the server is not secure, so nothing was sent")]
    Insecure(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// The answer is larger than any honest one.
    #[error("the server's answer is too large and was dropped")]
    TooLarge,
    /// The server redirects; its address must be given as it is.
    #[error("the server redirects elsewhere; nothing was sent there")]
    Redirected,
}

/// Sends requests to one server. Never follows redirects, never reads more than its limit.
#[cfg_attr(not(target_arch = "wasm32"), async_trait::async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait::async_trait(?Send))]
pub trait Transport: MaybeSend {
    /// Sends one request and waits for the whole answer.
    ///
    /// # Errors
    /// [`TransportError`]; any status is an answer, not an error.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;
}
