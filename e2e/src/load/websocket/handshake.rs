//! From a TCP connection to a WebSocket.

/// The key of RFC 6455's own example. It shows that the other side speaks WebSocket; it is no secret, so one is enough.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What the RFC says to answer to it.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// An answer's head, at most, in bytes.
const HEAD_MAX: usize = 8 * 1024;

/// The request for a WebSocket at `path` of `host`.
pub fn request(host: &str, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-key: {KEY}\r\nsec-websocket-version: 13\r\n\r\n"
    )
}

/// What the bytes of an answer say so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// More must come.
    Unfinished,
    /// The rest, from this byte on, are frames.
    Accepted(usize),
    /// No WebSocket; what was said instead.
    Refused(String),
}

/// Reads the answer to [`request`].
pub fn take_answer(bytes: &[u8]) -> Answer {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        let too_long = bytes.len() > HEAD_MAX;
        return if too_long { refused("a head without end") } else { Answer::Unfinished };
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("101") {
        let body = String::from_utf8_lossy(&bytes[end + 4..]);
        return refused(&format!("{status} {}", code(&body)));
    }
    let mut headers = lines.filter_map(|line| line.split_once(':'));
    let accept = headers.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-accept"));
    match accept {
        Some((_, value)) if value.trim() == ACCEPT => Answer::Accepted(end + 4),
        _ => refused("an upgrade without the right sec-websocket-accept"),
    }
}

/// The code of a problem document, or how the body begins.
fn code(body: &str) -> String {
    let code = body.split_once(r#""code":""#).and_then(|(_, rest)| rest.split('"').next());
    code.map_or_else(|| body.chars().take(80).collect(), str::to_owned)
}

fn refused(what: &str) -> Answer {
    Answer::Refused(what.trim().to_owned())
}
