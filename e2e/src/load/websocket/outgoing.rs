//! Frames to a server: whole, and masked as the RFC demands of clients.

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A whole text message.
    Text = 0x81,
    /// The answer to a ping.
    Pong = 0x8A,
}

/// Appends a frame. The mask only has to be another one each time: it guards proxies against what a page makes a browser
/// send.
pub fn append(out: &mut Vec<u8>, opcode: Opcode, (payload, mask): (&[u8], u32)) {
    out.push(opcode as u8);
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length @ 126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask = mask.to_be_bytes();
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}
