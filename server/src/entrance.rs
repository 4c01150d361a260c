//! From an accepted socket to HTTP: a place, TLS where there is any, then the application.
//!
//! `HttpServer` has no place for the first step: its callbacks cannot refuse a connection, end it later, or wrap its
//! socket. So the same parts are put together here.

use std::sync::Arc;

use actix_http::{HttpService, Protocol};
use actix_server::GracefulShutdownSignal;
use actix_service::{
    IntoServiceFactory as _, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config,
};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::app::App;
use crate::connections::{Connections, DRAIN, Guarded, Link, PORTION, PORTION_IN_TLS};
use crate::http_app::http_app;

/// How long a connection is kept for a next request after an answer, in seconds.
const KEEP_ALIVE: u64 = 5;

/// What every worker makes its services from.
#[derive(Clone)]
pub(crate) struct Entrance {
    pub(crate) app: Arc<App>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) signal: GracefulShutdownSignal,
}

/// The connection ended, in whatever way: nobody is told anything further.
type Ended = ();

impl Entrance {
    /// HTTP in the clear.
    pub(crate) fn plain(
        &self,
    ) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = Ended> + use<> {
        self.place(PORTION)
            .and_then(fn_service(with_peer))
            .and_then(self.http(|io: &Guarded<TcpStream>| io.link().clone()))
    }

    /// HTTP in TLS.
    pub(crate) fn tls(
        &self,
        mut config: ServerConfig,
    ) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = Ended> + use<> {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let link = |io: &TlsStream<Guarded<TcpStream>>| io.get_ref().0.link().clone();
        self.place(PORTION_IN_TLS)
            .and_then(Acceptor::new(config).map_err(drop))
            .and_then(fn_service(with_peer_in_tls))
            .and_then(self.http(link))
    }

    fn place(
        &self,
        portion: usize,
    ) -> impl ServiceFactory<
        TcpStream,
        Config = (),
        Response = Guarded<TcpStream>,
        Error = Ended,
        InitError = (),
    > + use<> {
        let connections = self.connections.clone();
        fn_service(move |io: TcpStream| {
            let entered = connections.enter(io, portion);
            async move { entered.ok_or(()) }
        })
    }

    fn http<T, L>(
        &self,
        link: L,
    ) -> impl ServiceFactory<Located<T>, Config = (), Response = (), Error = Ended, InitError = ()> + use<T, L>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
        L: Fn(&T) -> Arc<Link> + 'static,
    {
        let application = http_app(self.app.clone()).into_factory().map_err(|error| error.error_response());
        let signal = self.signal.clone();
        HttpService::build()
            .keep_alive(std::time::Duration::from_secs(KEEP_ALIVE))
            // Heads are waited for by `Guarded`, the first and every further one.
            .client_request_timeout(std::time::Duration::ZERO)
            .client_disconnect_timeout(DRAIN)
            .graceful_shutdown_signal(move || {
                let signal = signal.clone();
                async move { signal.notified().await }
            })
            .on_connect_ext(move |io: &T, data| {
                data.insert(link(io));
            })
            .finish(map_config(application, |()| AppConfig::default()))
            .map_err(drop)
    }
}

/// A connection as the HTTP library takes it.
type Located<T> = (T, Protocol, Option<std::net::SocketAddr>);

async fn with_peer(io: Guarded<TcpStream>) -> Result<Located<Guarded<TcpStream>>, Ended> {
    let peer = io.inner().peer_addr().ok();
    Ok((io, Protocol::Http1, peer))
}

async fn with_peer_in_tls(
    io: TlsStream<Guarded<TcpStream>>,
) -> Result<Located<TlsStream<Guarded<TcpStream>>>, Ended> {
    let peer = io.get_ref().0.inner().peer_addr().ok();
    Ok((io, Protocol::Http1, peer))
}
