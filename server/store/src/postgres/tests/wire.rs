//! A wire between a store and its database that writes down what the store sends, and can lose an answer.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// One message from the store, in the order of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sent {
    /// A statement is prepared.
    Parse(String),
    /// A prepared statement gets its values: its text, and the message's bytes.
    Bind(String, Vec<u8>),
    /// Text that is run as it stands: `BEGIN` and the like.
    Query(String),
    Execute,
    /// The end of a round trip.
    Sync,
    /// Anything else, by its letter.
    Other(u8),
}

#[derive(Default)]
struct Log {
    sent: Mutex<Vec<(usize, Sent)>>,
    lose: AtomicBool,
}

/// The wire. Connections end with either side.
pub(super) struct Wire {
    url: String,
    log: Arc<Log>,
}

impl Wire {
    /// A wire to the database at this URL.
    pub(super) fn to(url: &str) -> Self {
        let (access, rest) = url.split_once('@').unwrap();
        let (upstream, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{access}@{}/{database}", listener.local_addr().unwrap());
        let (log, upstream) = (Arc::new(Log::default()), upstream.to_owned());
        let shared = log.clone();
        std::thread::spawn(move || {
            for (number, store) in listener.incoming().map_while(Result::ok).enumerate() {
                connect(store, TcpStream::connect(&upstream).unwrap(), number, &shared);
            }
        });
        Self { url, log }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What was sent since the last call, with the number of its connection.
    pub(super) fn take(&self) -> Vec<(usize, Sent)> {
        std::mem::take(&mut *self.log.sent.lock().unwrap())
    }

    /// The next answer does not arrive: when the database gives it, the connection ends.
    pub(super) fn lose_next_answer(&self) {
        self.log.lose.store(true, Ordering::SeqCst);
    }
}

fn connect(store: TcpStream, database: TcpStream, number: usize, log: &Arc<Log>) {
    store.set_nodelay(true).unwrap();
    database.set_nodelay(true).unwrap();
    let lost = Arc::new(AtomicBool::new(false));
    let (from, to) = (store.try_clone().unwrap(), database.try_clone().unwrap());
    let (up, lose) = (log.clone(), lost.clone());
    std::thread::spawn(move || forward(from, to, number, &up, &lose));
    std::thread::spawn(move || back(database, store, &lost));
}

/// Passes the store's messages on, whole.
fn forward(mut from: TcpStream, mut to: TcpStream, number: usize, log: &Log, lost: &AtomicBool) {
    let mut names: HashMap<String, String> = HashMap::new();
    let mut first = true;
    while let Some(message) = read(&mut from, first) {
        if !std::mem::take(&mut first) {
            let sent = parsed(&message, &mut names);
            if sent == Sent::Sync && log.lose.swap(false, Ordering::SeqCst) {
                lost.store(true, Ordering::SeqCst);
            }
            log.sent.lock().unwrap().push((number, sent));
        }
        if to.write_all(&message).is_err() {
            break;
        }
    }
    // Either side may have closed already.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn back(mut from: TcpStream, mut to: TcpStream, lost: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if lost.load(Ordering::SeqCst) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// A message with its letter, which the first of a connection does not have, and its length.
fn read(from: &mut TcpStream, first: bool) -> Option<Vec<u8>> {
    let mut message = vec![0; if first { 4 } else { 5 }];
    from.read_exact(&mut message).ok()?;
    let head = message.len();
    let length = u32::from_be_bytes(message[head - 4..].try_into().unwrap()) as usize;
    message.resize(head + length - 4, 0);
    from.read_exact(&mut message[head..]).ok()?;
    Some(message)
}

fn parsed(message: &[u8], names: &mut HashMap<String, String>) -> Sent {
    let mut texts =
        message[5..].split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
    let mut text = || texts.next().unwrap_or_default();
    match message[0] {
        b'P' => {
            let (name, sql) = (text(), text());
            names.insert(name, sql.clone());
            Sent::Parse(sql)
        }
        b'B' => {
            let (_portal, name) = (text(), text());
            Sent::Bind(names.get(&name).cloned().unwrap_or_default(), message[5..].to_vec())
        }
        b'Q' => Sent::Query(text()),
        b'E' => Sent::Execute,
        b'S' => Sent::Sync,
        other => Sent::Other(other),
    }
}
