//! The transport: HTTP/1.1 over rustls.

use std::time::Duration;

use lockstep_client::ports::{Method, Request, Response, Transport, TransportError};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Url, redirect};

use crate::server_url::{ServerUrlError, base_url};

const CBOR: &str = "application/cbor";

/// Whether plain HTTP may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlainHttp {
    /// Only to this machine.
    #[default]
    ThisMachine,
    /// To any machine: whoever is on the way reads tokens and sizes, though no content.
    Anywhere,
}

/// How a transport connects.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Whether plain HTTP may be used.
    pub plain: PlainHttp,
    /// Certificates (PEM) to trust besides the system's.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the server may be silent.
    pub idle_timeout: Duration,
    /// How long one request may take as a whole.
    pub total_timeout: Duration,
    /// The longest answer that is read, in bytes.
    pub answer_limit: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            plain: PlainHttp::ThisMachine,
            extra_ca_pem: None,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(20),
            total_timeout: Duration::from_secs(120),
            answer_limit: 8 << 20,
        }
    }
}

/// Sends requests to one server.
pub struct HttpTransport {
    client: Client,
    base: Url,
    answer_limit: usize,
}

/// A transport cannot be made. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The address cannot be used.
    #[error(transparent)]
    Url(#[from] ServerUrlError),
    /// The extra certificates or the TLS set-up cannot be used.
    #[error("the certificates to trust cannot be used")]
    Tls(#[source] reqwest::Error),
}

impl HttpTransport {
    /// A transport to the server at `url`.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn new(url: &str, options: &HttpOptions) -> Result<Self, HttpError> {
        let base = base_url(url, options.plain)?;
        let mut builder = Client::builder()
            .user_agent(concat!("lockstep/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.idle_timeout)
            .timeout(options.total_timeout);
        if base.scheme() == "http" {
            // A proxy on the way would read what is meant for this machine alone. There is no TLS, and no redirect to
            // it: the system's certificates need not be read.
            builder = builder.no_proxy().tls_certs_only([]);
        }
        if let Some(pem) = &options.extra_ca_pem {
            let certificates = Certificate::from_pem_bundle(pem).map_err(HttpError::Tls)?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(HttpError::Tls)?;
        Ok(Self { client, base, answer_limit: options.answer_limit })
    }

    fn request(&self, request: Request) -> Result<reqwest::RequestBuilder, TransportError> {
        let url = self.base.join(request.path.trim_start_matches('/'));
        let url = url.map_err(|error| TransportError::Unreachable(Some(error.into())))?;
        let mut builder = match request.method {
            Method::Get => self.client.get(url),
            Method::Delete => self.client.delete(url),
            Method::Post => self.client.post(url).header(CONTENT_TYPE, CBOR).body(request.body),
        };
        if let Some(token) = &request.token {
            let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
            let mut bearer = bearer.map_err(|error| TransportError::Unreachable(Some(error.into())))?;
            bearer.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, bearer);
        }
        Ok(builder)
    }

    async fn body(&self, mut answer: reqwest::Response) -> Result<Vec<u8>, TransportError> {
        let announced = answer.content_length().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > self.answer_limit) {
            return Err(TransportError::TooLarge);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.answer_limit {
                return Err(TransportError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

#[async_trait::async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let answer = self.request(request)?.send().await.map_err(failed)?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(TransportError::Redirected);
        }
        let content_type = text(answer.headers(), &CONTENT_TYPE);
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let retry_after = text(answer.headers(), &RETRY_AFTER).trim().parse().ok();
        let body = self.body(answer).await?;
        Ok(Response { status: status.as_u16(), content_type, body, retry_after })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// What went wrong, without the request's address.
fn failed(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    if error.is_timeout() {
        TransportError::TimedOut
    } else if error.is_connect() && mentions_tls(&error) {
        TransportError::Insecure(Some(error.into()))
    } else {
        TransportError::Unreachable(Some(error.into()))
    }
}

/// Whether TLS, rather than the network, refused. The layers below erase the type, so their text has to tell.
fn mentions_tls(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let text = cause.to_string().to_ascii_lowercase();
        if text.contains("certificate") || text.contains("handshake") || text.contains("corrupt message") {
            return true;
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
mod tests;
