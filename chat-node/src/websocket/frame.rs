//! Frames as a server writes them (RFC 6455 §5.2): whole, and not masked.

/// Longest head of a frame that is not masked, in bytes.
const HEAD_MAX: usize = 10;
/// Most bytes that a control frame carries (RFC 6455 §5.5).
pub const CONTROL_MAX: usize = 125;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// More of a message that has begun.
    Continuation = 0,
    /// Text in UTF-8.
    Text = 1,
    /// Anything else.
    Binary = 2,
    /// The last frame of a connection.
    Close = 8,
    /// Asks for a pong.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

impl Opcode {
    /// The one with this number, if there is one.
    pub fn of(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Whether the frame may stand between the frames of a message.
    pub fn is_control(self) -> bool {
        self as u8 >= Self::Close as u8
    }
}

/// A frame's bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The head ends at [`HEAD_MAX`], wherever it begins.
    bytes: Box<[u8]>,
    start: u8,
}

impl Frame {
    /// A frame that carries what `write` appends.
    pub fn new(opcode: Opcode, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = vec![0; HEAD_MAX];
        write(&mut bytes);
        let length = (bytes.len() - HEAD_MAX) as u64;
        let mut head = [0; HEAD_MAX];
        let size = match length {
            0..=125 => 2,
            126..=0xffff => 4,
            _ => HEAD_MAX,
        };
        head[2..].copy_from_slice(&length.to_be_bytes());
        let start = HEAD_MAX - size;
        head[start] = 0x80 | opcode as u8;
        head[start + 1] = match size {
            2 => length as u8,
            4 => 126,
            _ => 127,
        };
        bytes[..HEAD_MAX].copy_from_slice(&head);
        Self { bytes: bytes.into_boxed_slice(), start: start as u8 }
    }

    /// The close frame with a code and a reason, which is cut off where it is too long.
    pub fn close(code: u16, reason: &str) -> Self {
        let reason = reason.as_bytes();
        let reason = &reason[..reason.len().min(CONTROL_MAX - 2)];
        Self::new(Opcode::Close, |bytes| {
            bytes.extend(code.to_be_bytes());
            bytes.extend(reason);
        })
    }

    /// All that goes over the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..]
    }

    /// What the frame carries.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[HEAD_MAX..]
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({})", String::from_utf8_lossy(self.payload()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> Frame {
        Frame::new(Opcode::Text, |bytes| bytes.resize(bytes.len() + length, b'x'))
    }

    #[test]
    fn a_text_of_the_rfc_is_written_as_there() {
        // RFC 6455 §5.7.
        let hello = Frame::new(Opcode::Text, |bytes| bytes.extend(b"Hello"));
        assert_eq!(hello.bytes(), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        assert_eq!(hello.payload(), b"Hello");
    }

    #[test]
    fn the_length_takes_as_little_room_as_it_can() {
        for (length, head) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (0xffff, vec![0x81, 126, 0xff, 0xff]),
            (0x1_0000, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = text(length);
            assert_eq!(frame.bytes()[..head.len()], head);
            assert_eq!(frame.bytes().len(), head.len() + length);
        }
    }

    #[test]
    fn a_close_frame_fits_however_long_its_reason_is() {
        assert_eq!(Frame::close(1000, "").bytes(), [0x88, 2, 0x03, 0xe8]);
        assert_eq!(Frame::close(4002, &"x".repeat(500)).payload().len(), CONTROL_MAX);
    }
}
