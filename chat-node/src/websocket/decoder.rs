//! What a client sends, byte by byte, into messages (RFC 6455 §5). Holds nothing while no message has begun.

use super::frame::{CONTROL_MAX, Opcode};

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// The beginning of something that is not text; its bytes are not kept, so nothing can be read after it.
    Binary,
    /// It wants a pong with these bytes.
    Ping(Vec<u8>),
    /// It lives.
    Pong,
    /// It goes, with this code if it gave one.
    Close(Option<u16>),
}

/// Why a client's bytes are not understood. Nothing can be read after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A message is longer than it may be.
    #[error("the message is too long")]
    TooLarge,
    /// A text is not UTF-8 (RFC 6455 §8.1).
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// The bytes are no frames.
    #[error("{0}")]
    Protocol(&'static str),
}

impl Violation {
    /// The close code for it (RFC 6455 §7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::NotUtf8 => 1007,
            Self::TooLarge => 1009,
        }
    }
}

/// Takes bytes and gives messages.
#[derive(Debug)]
pub struct Decoder {
    /// Most bytes of one message.
    limit: usize,
    /// What has come and is not decoded; begins with a frame's head.
    bytes: Vec<u8>,
    /// How many of these are decoded.
    done: usize,
    /// The text of earlier frames of a message that goes on.
    begun: Option<Vec<u8>>,
}

/// A frame's head.
#[derive(Clone, Copy, Debug)]
struct Head {
    is_last: bool,
    opcode: Opcode,
    size: usize,
    mask: [u8; 4],
    length: usize,
}

impl Decoder {
    /// For messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new(), done: 0, begun: None }
    }

    /// Takes bytes that have come.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message; `None`: it has not come whole.
    ///
    /// # Errors
    /// [`Violation`].
    pub fn decode(&mut self) -> Result<Option<Message>, Violation> {
        while let Some(head) = self.head()? {
            if head.opcode == Opcode::Binary {
                return Ok(Some(Message::Binary));
            }
            let Some(payload) = self.payload(head) else { break };
            if let Some(message) = self.take(head, payload)? {
                return Ok(Some(message));
            }
        }
        self.forget();
        Ok(None)
    }

    fn take(&mut self, head: Head, payload: Vec<u8>) -> Result<Option<Message>, Violation> {
        let message = match head.opcode {
            Opcode::Ping => Message::Ping(payload),
            Opcode::Pong => Message::Pong,
            Opcode::Close => Message::Close(close_code(&payload)?),
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                let mut text = self.begun.take().unwrap_or_default();
                if text.is_empty() {
                    text = payload;
                } else {
                    text.extend(payload);
                }
                if !head.is_last {
                    self.begun = Some(text);
                    return Ok(None);
                }
                Message::Text(String::from_utf8(text).map_err(|_| Violation::NotUtf8)?)
            }
        };
        Ok(Some(message))
    }

    /// The head of the next frame, checked as far as it can be without the rest.
    fn head(&self) -> Result<Option<Head>, Violation> {
        let bytes = &self.bytes[self.done..];
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let opcode = self.opcode(*first)?;
        let is_last = first & 0x80 != 0;
        if second & 0x80 == 0 {
            return Err(Violation::Protocol("a client's frame must be masked"));
        }
        let Some((extra, length)) = length(second & 0x7f, rest)? else { return Ok(None) };
        if opcode.is_control() && (!is_last || length > CONTROL_MAX as u64) {
            return Err(Violation::Protocol("a control frame must be whole and short"));
        }
        let before = self.begun.as_ref().map_or(0, Vec::len);
        let length = usize::try_from(length).ok().filter(|length| {
            opcode.is_control() || length.checked_add(before).is_some_and(|all| all <= self.limit)
        });
        let length = length.ok_or(Violation::TooLarge)?;
        let Some(mask) = rest.get(extra..extra + 4).and_then(|mask| mask.try_into().ok()) else {
            return Ok(None);
        };
        Ok(Some(Head { is_last, opcode, size: 2 + extra + 4, mask, length }))
    }

    fn opcode(&self, first: u8) -> Result<Opcode, Violation> {
        if first & 0x70 != 0 {
            return Err(Violation::Protocol("a reserved bit is set, and no extension was agreed on"));
        }
        let opcode = Opcode::of(first & 0x0f).ok_or(Violation::Protocol("the opcode is reserved"))?;
        match (opcode, &self.begun) {
            (Opcode::Continuation, None) => Err(Violation::Protocol("there is nothing to continue")),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                Err(Violation::Protocol("a message begins before the one before it has ended"))
            }
            _ => Ok(opcode),
        }
    }

    fn payload(&mut self, head: Head) -> Option<Vec<u8>> {
        let begin = self.done + head.size;
        let mut payload = self.bytes.get(begin..begin + head.length)?.to_vec();
        for (byte, key) in payload.iter_mut().zip(head.mask.iter().cycle()) {
            *byte ^= key;
        }
        self.done = begin + head.length;
        Some(payload)
    }

    /// Gives back the room of what is decoded.
    fn forget(&mut self) {
        if self.done == self.bytes.len() {
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..self.done);
        }
        self.done = 0;
    }
}

/// The payload's length, and how many bytes it takes beyond the first; `None`: they have not come.
fn length(short: u8, rest: &[u8]) -> Result<Option<(usize, u64)>, Violation> {
    let too_long_a_form = Err(Violation::Protocol("a length must be written as short as it can be"));
    match short {
        126 => match rest.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes)) {
            Some(0..126) => too_long_a_form,
            long => Ok(long.map(|long| (2, long.into()))),
        },
        127 => match rest.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)) {
            Some(0..0x1_0000) => too_long_a_form,
            long => Ok(long.map(|long| (8, long))),
        },
        short => Ok(Some((0, short.into()))),
    }
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(Violation::Protocol("half a close code")) };
    };
    std::str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
    match u16::from_be_bytes(*code) {
        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(Some(code)),
        _ => Err(Violation::Protocol("the close code means nothing")),
    }
}

#[cfg(test)]
mod tests;
