//! A gate between a device and the server that can shut in the moment between a request and its answer.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// What to hold back the answer to.
type Armed = Arc<Mutex<Option<&'static str>>>;

/// Passes bytes on in both directions until [`Gate::arm`]ed; then the next answer to one kind of request stays here.
pub(crate) struct Gate {
    url: String,
    armed: Armed,
    held: Receiver<()>,
    release: Sender<()>,
}

impl Gate {
    /// A gate before the server at `upstream` (host and port).
    pub(crate) fn before(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let armed = Armed::default();
        let (hold, held) = channel();
        let (release, released) = channel();
        let released = Arc::new(Mutex::new(released));
        let passage = Passage { upstream, armed: Arc::clone(&armed), hold, released };
        std::thread::spawn(move || {
            for device in listener.incoming().map_while(Result::ok) {
                passage.open(device);
            }
        });
        Self { url, armed, held, release }
    }

    /// The address that devices use.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Holds back the answer to the next `POST` whose path holds this.
    pub(crate) fn arm(&self, path: &'static str) {
        *self.armed.lock().unwrap() = Some(path);
    }

    /// Waits until the server has answered; the answer is held back and the device waits for it.
    pub(crate) fn wait(&self) {
        self.held.recv().unwrap();
    }

    /// Cuts the connection whose answer was held back.
    pub(crate) fn cut(&self) {
        self.release.send(()).unwrap();
    }
}

struct Passage {
    upstream: String,
    armed: Armed,
    hold: Sender<()>,
    released: Arc<Mutex<Receiver<()>>>,
}

impl Passage {
    /// Joins a device's connection with one to the server; closes it where there is no server.
    fn open(&self, device: TcpStream) {
        let Ok(server) = TcpStream::connect(&self.upstream) else { return };
        let awaited = Arc::new(AtomicBool::new(false));
        let (from_device, to_server) = (device.try_clone().unwrap(), server.try_clone().unwrap());
        let (armed, marked) = (Arc::clone(&self.armed), Arc::clone(&awaited));
        let mark = move |bytes: &[u8]| {
            let mut armed = armed.lock().unwrap();
            if armed.is_some_and(|path| is_post_to(path, bytes)) {
                *armed = None;
                marked.store(true, Ordering::SeqCst);
            }
            true
        };
        std::thread::spawn(move || pass(from_device, to_server, mark));
        let (hold, released) = (self.hold.clone(), Arc::clone(&self.released));
        let keep = move |_: &[u8]| {
            let hold_back = awaited.load(Ordering::SeqCst);
            if hold_back && hold.send(()).is_ok() {
                // The story may end without a cut.
                let _ = released.lock().unwrap().recv();
            }
            !hold_back
        };
        std::thread::spawn(move || pass(server, device, keep));
    }
}

/// Passes bytes on for as long as `check` says so; then cuts both connections.
fn pass(mut from: TcpStream, mut to: TcpStream, check: impl Fn(&[u8]) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !check(&buffer[..count]) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Either side may have closed already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// Whether such a request starts here.
fn is_post_to(path: &str, bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    line.starts_with("POST /v1/") && line.contains(path)
}
