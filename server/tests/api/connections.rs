//! Connections of a crowd, over real sockets: who gets a place, and who loses it.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use lockstep_server::{ConnectionRules, Front, Stopper, block_on, serve};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::support::{Account, Backend, World};

/// A server on a socket that shares its application with one without.
struct Server {
    world: World,
    address: SocketAddr,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopper.abandon();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Server {
    async fn start(connections: ConnectionRules, proxies: &str) -> Self {
        let front = Front { connections, proxies: proxies.parse().unwrap(), ..Front::default() };
        let world = World::behind(Backend::Memory, front).await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (ready, started) = mpsc::channel();
        let app = world.app.clone();
        let thread = std::thread::spawn(move || {
            block_on(async move {
                let running = serve(&app, listener, None).unwrap();
                ready.send(running.stopper()).unwrap();
                running.run().await.unwrap();
            });
        });
        Self { world, address, stopper: started.recv().unwrap(), thread: Some(thread) }
    }

    fn counted(&self, limit: &str) -> u64 {
        self.world.app.limit_counts().find(|(name, _)| *name == limit).unwrap().1
    }

    /// Waits until a limit was reached as often as this: the workers take connections in at once, in no order.
    fn await_count(&self, limit: &str, count: u64) {
        while self.counted(limit) < count {
            std::thread::yield_now();
        }
        assert_eq!(self.counted(limit), count);
    }

    /// Connects from an address of this machine.
    fn from(&self, last: u8) -> Client {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0))).unwrap();
        connect(&socket, &self.address).unwrap();
        Client(socket.into())
    }
}

/// A connection.
struct Client(std::net::TcpStream);

impl Client {
    fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// Asks for the server's liveness, and whether it was told.
    fn is_served(&mut self) -> bool {
        self.ask("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").starts_with("HTTP/1.1 200")
    }

    /// The answer's head and the beginning of its body; empty if the connection was closed.
    fn ask(&mut self, text: &str) -> String {
        if self.0.write_all(text.as_bytes()).is_err() {
            return String::new();
        }
        let mut answer = vec![0; 4_096];
        let length = self.0.read(&mut answer).unwrap_or(0);
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// Waits until the server closes, and gives what came before.
    fn closed(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }
}

fn rules(all: usize, of_address: usize) -> ConnectionRules {
    ConnectionRules { all, of_address, head: Duration::from_secs(60) }
}

#[actix_web::test]
async fn a50_an_address_that_opens_too_many_connections_loses_its_own() {
    let server = Server::start(rules(100, 4), "").await;
    let mut neighbour = server.from(2);
    assert!(neighbour.is_served());
    let mut crowd: Vec<_> = (0..12).map(|_| server.from(3)).collect();
    server.await_count("connections-of-address", 8);
    // Eight are closed and four served, as is whoever comes from elsewhere.
    assert_eq!(crowd.iter_mut().map(Client::is_served).filter(|served| *served).count(), 4);
    assert!(neighbour.is_served() && server.from(2).is_served());
}

#[actix_web::test]
async fn a50_a_crowd_that_takes_all_places_makes_room_for_whoever_comes() {
    let server = Server::start(rules(40, 64), "").await;
    let mut crowd: Vec<_> = (0..200).map(|number| server.from(10 + number % 20)).collect();
    let mut owner = server.from(2);
    // All come from this machine, so that they have the reserved places, too.
    server.await_count("connections", 161);
    assert!(owner.is_served());
    assert_eq!(crowd.iter_mut().map(Client::is_served).filter(|served| *served).count(), 39);
    assert!(owner.is_served());
}

#[actix_web::test]
async fn a50_who_has_a_session_keeps_its_connection() {
    let server = Server::start(rules(40, 4), "").await;
    let account = Account::sign_up(&server.world).await;
    let token = account.token(&server.world).await;
    let authorized =
        format!("GET /v1/account/slots HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut owner = server.from(2);
    assert!(owner.ask(&authorized).starts_with("HTTP/1.1 200"));
    for round in 0..50 {
        let crowd: Vec<_> = (0..40).map(|number| server.from(10 + number)).collect();
        let beside: Vec<_> = (0..8).map(|_| server.from(2)).collect();
        assert!(owner.ask(&authorized).starts_with("HTTP/1.1 200"), "{round}");
        drop((crowd, beside));
    }
    // A session that ended, or was made up, is none.
    let mut liar = server.from(9);
    let answer = liar.ask(&authorized.replace("Bearer ", "Bearer x"));
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    for _ in 0..4 {
        assert!(server.from(9).is_served());
    }
}

#[actix_web::test]
async fn a_trusted_proxy_has_as_many_as_it_needs() {
    let server = Server::start(rules(100, 4), "127.0.0.3").await;
    let mut proxy: Vec<_> = (0..50).map(|_| server.from(3)).collect();
    assert!(proxy.iter_mut().all(Client::is_served));
    let mut others: Vec<_> = (0..5).map(|_| server.from(2)).collect();
    server.await_count("connections-of-address", 1);
    assert_eq!(others.iter_mut().map(Client::is_served).filter(|served| *served).count(), 4);
}

#[actix_web::test]
async fn a50_a_head_has_to_come_in_time_the_first_and_every_further_one() {
    let quick = ConnectionRules { head: Duration::from_millis(300), ..rules(100, 64) };
    let server = Server::start(quick, "").await;
    assert_eq!(server.from(2).closed(), "");
    let mut begun = server.from(2);
    begun.send("G");
    assert_eq!(begun.closed(), "");
    // The library would wait for this one for ever.
    let mut second = server.from(2);
    assert!(second.is_served());
    second.send("G");
    assert_eq!(second.closed(), "");
    let mut trickle = server.from(2);
    let head = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ".bytes().chain(std::iter::repeat(b'x'));
    let sent = head.take_while(|byte| {
        trickle.0.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let ended = matches!(trickle.0.read(&mut [0; 64]), Ok(0));
        !ended && trickle.0.write_all(&[*byte]).is_ok()
    });
    assert!(sent.count() < 200);
    assert!(server.counted("slow-head") >= 4);
}

#[actix_web::test]
async fn a50_a_head_has_an_end() {
    let server = Server::start(rules(100, 64), "").await;
    for text in
        ["x".repeat(40_000), "\r\n".repeat(20_000), format!("GET /{} HTTP/1.1\r\n", "x".repeat(40_000))]
    {
        let mut client = server.from(2);
        let _ = client.0.write_all(text.as_bytes());
        let answer = client.closed();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let mut client = server.from(2);
    let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(6_000));
    assert!(client.ask(&head).starts_with("HTTP/1.1 200"));
    // A second request on the same connection has no less.
    assert!(client.ask(&head).starts_with("HTTP/1.1 200"));
    assert!(client.ask(&head).starts_with("HTTP/1.1 200"));
    assert!(server.counted("long-head") >= 1);
}

#[actix_web::test]
async fn whoever_sends_too_much_still_reads_why_it_was_refused() {
    let server = Server::start(rules(100, 64), "").await;
    for (path, length, status) in [
        ("/v1/signin/start", 4 << 20, "413"),
        ("/v1/account/links", 4 << 20, "401"),
        ("/v1/vaults", 2 << 20, "401"),
    ] {
        let mut client = server.from(2);
        client.send(&format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/cbor\r\ncontent-length: {length}\r\n\r\n"
        ));
        client.0.write_all(&vec![0x80; length]).unwrap();
        client.0.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = client.closed();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
}

#[actix_web::test]
async fn a_large_body_comes_through_whole_and_so_do_requests_that_do_not_wait() {
    let server = Server::start(rules(100, 64), "").await;
    let account = Account::sign_up(&server.world).await;
    let token = account.token(&server.world).await;
    let head = format!(
        "POST /v1/account/links HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/cbor\r\n"
    );
    // No links, and beside them a member that nobody knows: all of it is read before anything is said of the links.
    let body = |length: u32| {
        let start = [&b"\xa3\x65links\x80\x65slots\x80\x61x\x5a"[..], &length.to_be_bytes()].concat();
        [start, vec![0; length as usize]].concat()
    };
    let large = body((4 << 20) - 100);
    let mut client = server.from(2);
    client.send(&format!("{head}content-length: {}\r\n\r\n", large.len()));
    client.0.write_all(&large).unwrap();
    let answer = client.ask("");
    assert!(answer.contains("it holds no link"), "{answer}");
    // In chunks, each of which is smaller than what is around it.
    client.send(&format!("{head}transfer-encoding: chunked\r\n\r\n"));
    let chunks: Vec<u8> =
        body(200_000).iter().flat_map(|byte| [b'1', b'\r', b'\n', *byte, b'\r', b'\n']).collect();
    client.0.write_all(&chunks).unwrap();
    let answer = client.ask("0\r\n\r\n");
    assert!(answer.contains("it holds no link"), "{answer}");
    // Requests one behind the other.
    let many = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(2_000);
    let mut writer = client.0.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        writer.write_all(many.as_bytes()).unwrap();
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let answers = client.closed();
    writing.join().unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2_000);
}

#[actix_web::test]
async fn the_peer_of_a_request_is_its_socket() {
    let server = Server::start(rules(100, 64), "127.0.0.3").await;
    let local: IpAddr = Ipv4Addr::LOCALHOST.into();
    assert!(server.address.ip() == local);
    // Logged under the address that the proxy names, refused alike.
    let mut proxy = server.from(3);
    let answer =
        proxy.ask("GET /v1/info HTTP/1.1\r\nhost: evil.example\r\nx-forwarded-for: 192.0.2.9\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    assert_eq!(server.counted("foreign-host"), 1);
}
