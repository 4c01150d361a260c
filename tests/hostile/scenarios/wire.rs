//! A listener that speaks to the real HTTP adapter and never as it should: it sends elsewhere, does not end, or breaks off.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use lockstep_native::{HttpOptions, HttpTransport};

/// What it does with every request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    /// Answers that the answer is elsewhere, with this status.
    Redirects(u16),
    /// Answers without an end.
    NeverEnds,
    /// Announces an answer and closes half-way.
    BreaksOff,
}

/// A path that only somebody comes to who was sent there.
const ELSEWHERE: &str = "/elsewhere";

/// The listener; it ends with the value.
pub(crate) struct Wire {
    address: SocketAddr,
    /// The way to it.
    pub(crate) way: Arc<HttpTransport>,
    followed: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    pub(crate) fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let way = HttpTransport::new(&format!("http://{address}"), &HttpOptions::default()).unwrap();
        let (followed, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (followed.clone(), ended.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                // Whoever is answered may hang up in the middle.
                if serve(stream, manner, address).is_ok_and(|path| path.starts_with(ELSEWHERE)) {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { address, way: Arc::new(way), followed, ended, thread: Some(thread) }
    }

    /// How many requests came to where nobody should go.
    pub(crate) fn followed(&self) -> usize {
        self.followed.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Answers one request; its path.
fn serve(mut stream: TcpStream, manner: Manner, address: SocketAddr) -> std::io::Result<String> {
    let path = read(&mut stream)?;
    let head = |status: u16, more: &str| {
        format!(
            "HTTP/1.1 {status} -\r\ncontent-type: application/cbor\r\nconnection: close\r\n{more}\r\n\r\n"
        )
    };
    match manner {
        Manner::Redirects(status) => {
            let more = format!("location: http://{address}{ELSEWHERE}\r\ncontent-length: 0");
            stream.write_all(head(status, &more).as_bytes())?;
        }
        Manner::NeverEnds => {
            stream.write_all(head(200, "transfer-encoding: chunked").as_bytes())?;
            let chunk = [b"10000\r\n".as_slice(), &[0x9f; 0x1_0000], b"\r\n"].concat();
            // The client hangs up at its limit.
            while stream.write_all(&chunk).is_ok() {}
        }
        Manner::BreaksOff => {
            stream.write_all(head(200, "content-length: 4096").as_bytes())?;
            stream.write_all(&[0x9f; 2048])?;
        }
    }
    Ok(path)
}

/// Reads one request with its body; its path.
fn read(stream: &mut TcpStream) -> std::io::Result<String> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        let read = stream.read(&mut buffer)?;
        bytes.extend_from_slice(&buffer[..read]);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
        let Some(end) = end.filter(|_| read > 0) else {
            if read == 0 {
                return Ok(String::new());
            }
            continue;
        };
        let text = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        if bytes.len() >= end + length.unwrap_or(0) {
            return Ok(text.split(' ').nth(1).unwrap_or_default().to_owned());
        }
    }
}
