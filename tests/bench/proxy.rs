//! A way to the server that counts the bytes that pass.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A listening proxy. It works until the process ends.
pub(crate) struct Proxy {
    url: String,
    passed: Arc<Passed>,
}

/// What has passed up to a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traffic {
    pub(crate) at: Instant,
    /// Bytes from clients, HTTP heads included.
    pub(crate) sent: u64,
    /// Bytes to clients, HTTP heads included.
    pub(crate) received: u64,
}

#[derive(Default)]
struct Passed {
    sent: AtomicU64,
    received: AtomicU64,
    history: Mutex<Option<Traffic>>,
}

impl Passed {
    fn now(&self) -> Traffic {
        let (sent, received) = (self.sent.load(Ordering::SeqCst), self.received.load(Ordering::SeqCst));
        Traffic { at: Instant::now(), sent, received }
    }
}

impl Proxy {
    /// A proxy before the server at this host and port.
    pub(crate) fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let passed = Arc::new(Passed::default());
        let counted = passed.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                carry_both(client, TcpStream::connect(&server).unwrap(), &counted);
            }
        });
        Self { url, passed }
    }

    /// What clients connect to.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Counts from nothing again.
    pub(crate) fn forget(&self) {
        self.passed.sent.store(0, Ordering::SeqCst);
        self.passed.received.store(0, Ordering::SeqCst);
        *self.passed.history.lock().unwrap() = None;
    }

    /// What has passed since [`Self::forget`]: whatever a client has received is in it.
    pub(crate) fn traffic(&self) -> Traffic {
        self.passed.now()
    }

    /// What had passed when a client first asked for all commits after a vault's genesis.
    pub(crate) fn traffic_before_history(&self) -> Option<Traffic> {
        *self.passed.history.lock().unwrap()
    }
}

fn carry_both(client: TcpStream, server: TcpStream, passed: &Arc<Passed>) {
    for stream in [&client, &server] {
        // What is small must not wait for an acknowledgement.
        stream.set_nodelay(true).unwrap();
    }
    let (from, to, there) = (client.try_clone().unwrap(), server.try_clone().unwrap(), passed.clone());
    std::thread::spawn(move || {
        carry(from, to, |bytes| {
            // A client sends the next request when it has the last one's answer: a head begins what is read.
            let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
            if line.starts_with(b"GET ") && line.ends_with(b"/commits?after=0 HTTP/1.1") {
                there.history.lock().unwrap().get_or_insert_with(|| there.now());
            }
            there.sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        });
    });
    let back = passed.clone();
    std::thread::spawn(move || {
        carry(server, client, |bytes| {
            back.received.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        });
    });
}

fn carry(mut from: TcpStream, mut to: TcpStream, mut count: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        count(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown(Shutdown::Write);
}
