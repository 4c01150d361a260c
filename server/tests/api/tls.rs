//! The program with TLS: its certificate is what clients see, and nothing goes in the clear.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::program::program;

pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    der: CertificateDer<'static>,
}

pub(crate) fn files(folder: &Path, name: &str) -> Files {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    Files { certificate, key, der: cert.der().clone() }
}

/// A server that runs until it is dropped.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(folder: &Path, files: &Files) -> Server {
    let mut command = program(&folder.join("data"));
    command.arg("--tls-cert").arg(&files.certificate).arg("--tls-key").arg(&files.key);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("lockstep signup --server ")).unwrap();
    let address = line.rsplit_once("https://").unwrap().1.trim().to_owned();
    Server { child, address }
}

/// `GET /healthz` by someone who trusts this certificate alone.
fn ask(server: &Server, trusted: &CertificateDer<'static>, name: &'static str) -> std::io::Result<String> {
    let mut stream = connect(server, trusted, name)?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    // The server may end the connection without saying so first.
    let _ = stream.read_to_end(&mut answer);
    Ok(String::from_utf8(answer).unwrap())
}

fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
    name: &'static str,
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    Ok(StreamOwned::new(connection, TcpStream::connect(&server.address)?))
}

#[test]
fn a_client_that_trusts_the_certificate_is_served_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (files(folder.path(), "own"), files(folder.path(), "other"));
    let server = start(folder.path(), &own);
    let answer = ask(&server, &own.der, "localhost").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
    assert!(ask(&server, &other.der, "localhost").is_err(), "a certificate that is not trusted");
    assert!(ask(&server, &own.der, "elsewhere").is_err(), "a certificate for another name");

    let mut plain = TcpStream::connect(&server.address).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.windows(2).any(|window| window == b"ok"), "nothing is served in the clear");
    assert!(ask(&server, &own.der, "localhost").is_ok(), "and the server goes on");
}

#[test]
fn bodies_come_through_tls_whatever_its_records_are() {
    let folder = tempfile::tempdir().unwrap();
    let own = files(folder.path(), "own");
    let server = start(folder.path(), &own);
    // In records that are as large as they can be, and in small ones, each with as much around it as in it.
    for (length, record, status) in [
        (60_000, None, "400"),
        (60_000, Some(64), "400"),
        (1 << 20, None, "400"),
        (4 << 20, Some(1_200), "413"),
    ] {
        let path = if length == 1 << 20 { "/v1/heal/account" } else { "/v1/signin/start" };
        let mut stream = connect(&server, &own.der, "localhost").unwrap();
        stream.conn.set_buffer_limit(None);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/cbor\r\ncontent-length: {length}\r\n\r\n"
        );
        // The head is in one record with what follows.
        let whole = [head.into_bytes(), vec![0x80; length]].concat();
        for part in whole.chunks(record.unwrap_or(whole.len())) {
            stream.write_all(part).unwrap_or_else(|error| panic!("{length} {record:?}: {error}"));
        }
        stream.flush().unwrap();
        let mut answer = [0; 16];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer[..12], format!("HTTP/1.1 {status}").as_bytes(), "{length} {record:?}");
    }
}

#[test]
fn a50_a_handshake_that_does_not_come_ends() {
    let folder = tempfile::tempdir().unwrap();
    let own = files(folder.path(), "own");
    let server = start(folder.path(), &own);
    let mut silent: Vec<_> = (0..40).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    // Those have no handshake yet, and are in nobody's way.
    assert!(ask(&server, &own.der, "localhost").is_ok());
    for stream in &mut silent {
        assert!(!matches!(stream.read(&mut [0; 16]), Ok(1..)));
    }
}

#[test]
fn files_that_cannot_be_used_keep_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (files(folder.path(), "own"), files(folder.path(), "other"));
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let missing = folder.path().join("missing.pem");
    for (certificate, key, says) in [
        (&own.certificate, &other.key, "do not fit"),
        (&missing, &own.key, "missing.pem cannot be read"),
        (&own.certificate, &missing, "missing.pem cannot be read"),
        (&empty, &own.key, "holds no certificate"),
        (&own.certificate, &empty, "empty.pem cannot be read"),
    ] {
        let mut command = program(&folder.path().join("data"));
        let output = command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(says), "{says}: {said}");
    }
}
