//! Frames from a server, where they lie.

/// A frame in the bytes that were read.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole text message.
    Text(&'a [u8]),
    /// Is answered by a pong with the same bytes.
    Ping(&'a [u8]),
    /// Needs no answer.
    Pong,
    /// The connection ends; the code if there is one.
    Close(Option<u16>),
}

/// Why bytes are no frame that a chat server sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFrame {
    /// Only clients mask.
    #[error("a masked frame from the server")]
    Masked,
    /// No extension was agreed on.
    #[error("a frame with reserved bits")]
    Reserved,
    /// Chat servers send whole messages of text.
    #[error("a frame of kind {0} that is no whole text")]
    Kind(u8),
    /// Longer than anything that the protocol has.
    #[error("a frame of {0} bytes")]
    Length(u64),
}

/// A frame's payload, at most, in bytes.
pub const PAYLOAD_MAX: u64 = 4 * 1024 * 1024;

/// The first frame and its length with its head; `None` if it is not all there.
///
/// # Errors
/// [`NotFrame`]; what follows cannot be read then.
pub fn next(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, NotFrame> {
    let Some((start, length)) = head(bytes)? else { return Ok(None) };
    let Some(payload) = bytes.get(start..start + length) else { return Ok(None) };
    let frame = match bytes[0] {
        0x81 => Frame::Text(payload),
        0x88 => Frame::Close(payload.first_chunk::<2>().map(|code| u16::from_be_bytes(*code))),
        0x89 => Frame::Ping(payload),
        0x8A => Frame::Pong,
        first if first & 0x70 != 0 => return Err(NotFrame::Reserved),
        first => return Err(NotFrame::Kind(first & 0x0F)),
    };
    Ok(Some((frame, start + length)))
}

/// Where the payload begins, and its length.
fn head(bytes: &[u8]) -> Result<Option<(usize, usize)>, NotFrame> {
    let Some(second) = bytes.get(1) else { return Ok(None) };
    if second & 0x80 != 0 {
        return Err(NotFrame::Masked);
    }
    let rest = &bytes[2..];
    let (start, length) = match second & 0x7F {
        126 => match rest.first_chunk::<2>() {
            Some(length) => (4, u64::from(u16::from_be_bytes(*length))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (10, u64::from_be_bytes(*length)),
            None => return Ok(None),
        },
        short => (2, u64::from(short)),
    };
    if length > PAYLOAD_MAX {
        return Err(NotFrame::Length(length));
    }
    Ok(Some((start, usize::try_from(length).map_err(|_| NotFrame::Length(length))?)))
}
