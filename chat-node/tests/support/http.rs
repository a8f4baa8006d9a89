//! HTTP/1.1 by hand: one request a connection.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Answer {
    pub fn parse(answer: &str) -> Self {
        let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, headers: headers.to_lowercase(), body: body.to_owned() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// `line` is method and path.
pub async fn request(address: SocketAddr, line: &str, (token, body): (Option<&str>, &str)) -> Answer {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    exchange(address, &format!("{line} HTTP/1.1\r\n{authorization}"), body).await
}

/// The same where a successful answer has no end: only its head.
pub async fn request_stream(address: SocketAddr, line: &str, token: Option<&str>) -> Answer {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!("{line} HTTP/1.1\r\n{authorization}host: {address}\r\nconnection: close\r\n\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "no head came");
    }
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        stream.read_to_end(&mut answer).await.unwrap();
    }
    Answer::parse(&String::from_utf8_lossy(&answer))
}

/// `head` is all that the library would not do by itself, every line with its end.
pub async fn exchange(address: SocketAddr, head: &str, body: &str) -> Answer {
    let length = body.len();
    let request =
        format!("{head}host: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    Answer::parse(&answer)
}
