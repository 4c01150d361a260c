//! Many connections that hold on to something and come back when they are closed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::interval;

/// From so many addresses of this machine a crowd comes, the owner's among them.
const ADDRESSES: usize = 100;
/// So many of a crowd connect at the same moment.
const AT_ONCE: usize = 64;
/// How often each of the crowd comes, unless a long run was asked for: then as long as the owner writes.
const VISITS: usize = 2;

/// What each connection does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Attack {
    /// Nothing.
    Silent,
    /// Nothing that is HTTP.
    Nonsense,
    /// The first byte of a head.
    OneByte,
    /// A head that has no end.
    LongHead,
    /// A whole request, and then one byte of the next.
    SecondHead,
    /// A mebibyte of a body but for its last byte, to where no session is needed.
    SlowBody,
    /// As much of a small body as any, and then a byte now and then.
    TrickledBody,
}

impl Attack {
    pub(super) const ALL: [Self; 7] = [
        Self::Silent,
        Self::Nonsense,
        Self::OneByte,
        Self::LongHead,
        Self::SecondHead,
        Self::SlowBody,
        Self::TrickledBody,
    ];

    /// What is sent at once.
    fn opening(self) -> Vec<u8> {
        let body = |path: &str, length: usize| {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/cbor\r\ncontent-length: {length}\r\n\r\n"
            );
            [head.into_bytes(), vec![0x80; length - 200]].concat()
        };
        match self {
            Self::Silent => Vec::new(),
            Self::Nonsense => b"\x16\x03 nonsense\r\n\r\n".to_vec(),
            Self::OneByte => b"G".to_vec(),
            Self::LongHead => format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(16_000)).into_bytes(),
            Self::SecondHead => b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\nG".to_vec(),
            Self::SlowBody => body("/v1/heal/account", 1 << 20),
            Self::TrickledBody => body("/v1/signin/start", 64 << 10),
        }
    }
}

/// A crowd that is there.
pub(super) struct Crowd {
    shared: Arc<Shared>,
    members: JoinSet<()>,
}

struct Shared {
    server: SocketAddr,
    attack: Attack,
    opening: Vec<u8>,
    tried: AtomicUsize,
    over: AtomicBool,
    connecting: Semaphore,
}

impl Crowd {
    /// Returns when each has been there once.
    pub(super) async fn gather(server: SocketAddr, attack: Attack, size: usize) -> Self {
        let shared = Arc::new(Shared {
            server,
            attack,
            opening: attack.opening(),
            tried: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            connecting: Semaphore::new(AT_ONCE),
        });
        let mut members = JoinSet::new();
        for number in 0..size {
            members.spawn(shared.clone().stay(number));
        }
        while shared.tried.load(Ordering::SeqCst) < size {
            tokio::task::yield_now().await;
        }
        Self { shared, members }
    }

    /// All go; how many connections they made.
    pub(super) async fn disperse(mut self) -> usize {
        self.shared.over.store(true, Ordering::SeqCst);
        self.members.abort_all();
        while self.members.join_next().await.is_some() {}
        self.shared.tried.load(Ordering::SeqCst)
    }
}

impl Shared {
    async fn stay(self: Arc<Self>, number: usize) {
        let mut visits = if super::is_long() { usize::MAX } else { VISITS };
        while visits > 0 && !self.over.load(Ordering::SeqCst) {
            let turn = self.connecting.acquire().await.unwrap();
            let entered = self.enter(number).await;
            self.tried.fetch_add(1, Ordering::SeqCst);
            drop(turn);
            if let Ok(stream) = entered {
                self.hold(stream).await;
            }
            visits -= 1;
        }
    }

    /// Connects and sends what comes at once; a server that stops reading does not keep others waiting for their turn.
    async fn enter(&self, number: usize) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        let address = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + (number % ADDRESSES) as u32);
        socket.bind(SocketAddr::from((address, 0)))?;
        socket.connect(self.server).await
    }

    /// Holds on until the server has enough.
    async fn hold(&self, mut stream: TcpStream) {
        let (mut reader, mut writer) = stream.split();
        let send = async {
            if writer.write_all(&self.opening).await.is_err() {
                return;
            }
            let mut seconds = interval(Duration::from_secs(1));
            while self.attack == Attack::TrickledBody && writer.write_all(b"\x80").await.is_ok() {
                seconds.tick().await;
            }
            std::future::pending::<()>().await;
        };
        let mut answer = Vec::new();
        tokio::select! {
            () = send => {}
            _ = reader.read_to_end(&mut answer) => {}
        }
    }
}
