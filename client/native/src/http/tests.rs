#![allow(clippy::unwrap_used, clippy::panic)]

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Answers one connection with these bytes, then closes it; gives what was asked.
async fn answer_once(answer: Vec<u8>) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).await.unwrap();
            assert_ne!(count, 0, "the request ended early");
            asked.extend_from_slice(&chunk[..count]);
        }
        // The client may hang up as soon as it has seen enough.
        let _ = stream.write_all(&answer).await;
        String::from_utf8_lossy(&asked).to_ascii_lowercase()
    });
    (url, asked)
}

fn get(token: Option<&str>) -> Request {
    Request {
        method: Method::Get,
        path: "/v1/info".to_owned(),
        token: token.map(str::to_owned),
        body: Vec::new(),
    }
}

async fn ask(answer: &str) -> Result<Response, TransportError> {
    let (url, _) = answer_once(answer.as_bytes().to_vec()).await;
    HttpTransport::new(&url, &HttpOptions::default()).unwrap().send(get(None)).await
}

#[tokio::test]
async fn an_answer_comes_with_its_status_type_and_body() {
    let answer = "HTTP/1.1 503 Unavailable\r\nContent-Type: Application/CBOR; x=y\r\nRetry-After: 7\r\n\
                  Content-Length: 3\r\n\r\nabc";
    let response = ask(answer).await.unwrap();
    assert_eq!(
        (response.status, &response.content_type[..], response.retry_after),
        (503, "application/cbor", Some(7))
    );
    assert_eq!(response.body, b"abc");
}

#[tokio::test]
async fn when_to_try_again_is_handed_on_whoever_refuses() {
    for (header, seconds) in [
        ("Retry-After: 3\r\n", Some(3)),
        ("retry-after:  120 \r\n", Some(120)),
        // A date is not read: the caller backs off by itself.
        ("Retry-After: Mon, 30 Nov 2026 10:00:00 GMT\r\n", None),
        ("Retry-After: -1\r\n", None),
        ("Retry-After: 99999999999999999999999999\r\n", None),
        ("", None),
    ] {
        let answer = format!("HTTP/1.1 429 Too Many Requests\r\n{header}Content-Length: 0\r\n\r\n");
        let response = ask(&answer).await.unwrap();
        assert_eq!((response.status, response.retry_after), (429, seconds), "{header}");
    }
}

#[tokio::test]
async fn the_token_is_sent() {
    let (url, asked) = answer_once(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let transport = HttpTransport::new(&format!("{url}/under/this"), &HttpOptions::default()).unwrap();
    transport.send(get(Some("secret"))).await.unwrap();
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("get /under/this/v1/info http/1.1"), "{asked}");
    assert!(asked.contains("authorization: bearer secret"), "{asked}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let answer = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    assert!(matches!(ask(answer).await.err(), Some(TransportError::Redirected)));
}

#[tokio::test]
async fn an_announced_answer_above_the_limit_is_not_read() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nabc";
    assert!(matches!(ask(answer).await.err(), Some(TransportError::TooLarge)));
}

#[tokio::test]
async fn an_endless_answer_is_cut_at_the_limit() {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..64 {
        answer.extend_from_slice(b"400\r\n");
        answer.extend_from_slice(&[b'x'; 0x400]);
        answer.extend_from_slice(b"\r\n");
    }
    let (url, _) = answer_once(answer).await;
    let options = HttpOptions { answer_limit: 10_000, ..HttpOptions::default() };
    let refused = HttpTransport::new(&url, &options).unwrap().send(get(None)).await;
    assert!(matches!(refused.err(), Some(TransportError::TooLarge)));
}

#[tokio::test]
async fn an_answer_that_ends_early_is_no_answer() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc";
    assert!(matches!(ask(answer).await.err(), Some(TransportError::Unreachable(_))));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let refused = HttpTransport::new(&url, &HttpOptions::default()).unwrap().send(get(None)).await;
    assert!(matches!(refused.err(), Some(TransportError::Unreachable(_))));
}

#[tokio::test]
async fn a_silent_server_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let options = HttpOptions { idle_timeout: Duration::from_millis(50), ..HttpOptions::default() };
    let refused = HttpTransport::new(&url, &options).unwrap().send(get(None)).await;
    assert!(matches!(refused.err(), Some(TransportError::TimedOut)));
    drop(listener);
}

#[tokio::test]
async fn a_server_without_tls_is_called_insecure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    });
    let refused = HttpTransport::new(&url, &HttpOptions::default()).unwrap().send(get(None)).await;
    assert!(matches!(refused.err(), Some(TransportError::Insecure(_))));
    drop(served.await);
}

#[test]
fn certificates_that_are_none_are_refused() {
    let pem = b"-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n".to_vec();
    let options = HttpOptions { extra_ca_pem: Some(pem), ..HttpOptions::default() };
    assert!(matches!(HttpTransport::new("https://example.org", &options), Err(HttpError::Tls(_))));
}
