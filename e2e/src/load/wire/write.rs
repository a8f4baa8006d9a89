//! What a client says.

use std::fmt::Write as _;

use crate::load::oracle::Seat;

/// Shows that the client lives.
pub const HEARTBEAT: &str = r#"{"op":"heartbeat"}"#;

/// Signs in, with the last position of each channel that was seen; `id` is the id of a channel.
pub fn identify(token: &str, seats: &[Seat], id: impl Fn(&Seat) -> u64) -> String {
    let mut text = format!(r#"{{"op":"identify","token":"{token}","cursors":{{"#);
    for (number, seat) in seats.iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(text, r#"{comma}"{}":"{}""#, id(seat), seat.last);
    }
    text.push_str("}}");
    text
}

/// Writes a message. Nonce and text hold nothing that JSON would escape.
pub fn send(channel: u64, nonce: &str, content: &str) -> String {
    format!(r#"{{"op":"send","channel_id":"{channel}","nonce":"{nonce}","content":"{content}"}}"#)
}

/// Tells that the user is writing.
pub fn typing(channel: u64) -> String {
    format!(r#"{{"op":"typing","channel_id":"{channel}"}}"#)
}
