//! A way to the server that counts the bytes that pass.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A listening proxy. It works until the process ends.
pub(crate) struct Proxy {
    url: String,
    bytes: Arc<AtomicU64>,
}

impl Proxy {
    /// A proxy before the server at this host and port.
    pub(crate) fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = bytes.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let upstream = TcpStream::connect(&server).unwrap();
                let ways = [(client.try_clone().unwrap(), upstream.try_clone().unwrap()), (upstream, client)];
                for (from, to) in ways {
                    let counted = counted.clone();
                    std::thread::spawn(move || carry(from, to, &counted));
                }
            }
        });
        Self { url, bytes }
    }

    /// What clients connect to.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The bytes of both directions since the last call, HTTP heads included.
    pub(crate) fn take_bytes(&self) -> u64 {
        self.bytes.swap(0, Ordering::SeqCst)
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, bytes: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        bytes.fetch_add(count as u64, Ordering::SeqCst);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown(Shutdown::Write);
}
