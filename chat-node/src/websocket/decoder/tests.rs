use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1_000;
const FIN: u8 = 0x80;

/// A frame as a client writes it.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | short as u8),
        long @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((long as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

fn decode(bytes: &[u8]) -> Result<Vec<Message>, Violation> {
    let mut decoder = Decoder::new(LIMIT);
    decoder.feed(bytes);
    let mut messages = Vec::new();
    while let Some(message) = decoder.decode()? {
        messages.push(message);
    }
    assert!(decoder.done == 0);
    Ok(messages)
}

fn text(text: &str) -> Message {
    Message::Text(text.to_owned())
}

#[test]
fn the_masked_text_of_the_rfc_is_read() {
    // RFC 6455 §5.7.
    let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode(&bytes), Ok(vec![text("Hello")]));
}

#[test]
fn a_ping_may_stand_between_the_parts_of_a_text() {
    let parts = [masked(0x01, b"Hel"), masked(FIN | 0x09, b"?"), masked(0, b"l"), masked(FIN, b"o")];
    assert_eq!(decode(&parts.concat()), Ok(vec![Message::Ping(b"?".to_vec()), text("Hello")]));
}

#[test]
fn a_character_may_be_cut_between_two_parts() {
    let parts = [masked(0x01, &[0xc3]), masked(FIN, &[0xa4])];
    assert_eq!(decode(&parts.concat()), Ok(vec![text("ä")]));
}

#[test]
fn what_is_too_long_is_refused_before_it_has_come() {
    let whole = masked(FIN | 0x01, &[b'x'; LIMIT + 1]);
    assert_eq!(decode(&whole[..8]), Err(Violation::TooLarge));
    let parts = [masked(0x01, &[b'x'; LIMIT]), masked(FIN, b"x")];
    assert_eq!(decode(&parts.concat()), Err(Violation::TooLarge));
    let endless = [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(decode(&endless), Err(Violation::TooLarge));
    assert_eq!(decode(&masked(FIN | 0x01, &[b'x'; LIMIT])), Ok(vec![text(&"x".repeat(LIMIT))]));
}

#[test]
fn what_no_client_may_send_is_refused() {
    let not_masked = vec![0x81, 0x01, b'x'];
    let long_form = vec![0x81, 0xfe, 0x00, 0x7d, 0, 0, 0, 0];
    let longer_form = vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
    let cases = [
        not_masked,
        long_form,
        longer_form,
        masked(FIN | 0x41, b"compressed"),
        masked(FIN | 0x03, b"reserved"),
        masked(FIN | 0x0b, b"reserved"),
        masked(FIN, b"continues nothing"),
        [masked(0x01, b"begun"), masked(FIN | 0x01, b"begun again")].concat(),
        masked(0x09, b"half a ping"),
        masked(FIN | 0x09, &[0; 126]),
        masked(FIN | 0x08, &[3]),
        masked(FIN | 0x08, &1005_u16.to_be_bytes()),
        masked(FIN | 0x08, &999_u16.to_be_bytes()),
    ];
    for bytes in cases {
        assert!(matches!(decode(&bytes), Err(Violation::Protocol(_))), "{bytes:x?}: {:?}", decode(&bytes));
    }
}

#[test]
fn what_is_not_utf8_is_refused() {
    assert_eq!(decode(&masked(FIN | 0x01, &[0xff])), Err(Violation::NotUtf8));
    let reason = [&1000_u16.to_be_bytes()[..], &[0xff]].concat();
    assert_eq!(decode(&masked(FIN | 0x08, &reason)), Err(Violation::NotUtf8));
}

#[test]
fn a_close_is_read_with_and_without_a_code() {
    assert_eq!(decode(&masked(FIN | 0x08, b"")), Ok(vec![Message::Close(None)]));
    let bye = [&1000_u16.to_be_bytes()[..], b"bye"].concat();
    assert_eq!(decode(&masked(FIN | 0x08, &bye)), Ok(vec![Message::Close(Some(1000))]));
}

#[test]
fn nothing_is_kept_of_what_was_read() {
    let mut decoder = Decoder::new(LIMIT);
    decoder.feed(&masked(FIN | 0x01, &[b'x'; 500]));
    assert!(decoder.decode().unwrap().is_some() && decoder.decode().unwrap().is_none());
    assert_eq!((decoder.bytes.capacity(), decoder.begun), (0, None));
}

fn messages() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("\\PC{0,150}", 0..6)
}

proptest! {
    #[test]
    fn texts_arrive_however_they_are_cut(texts in messages(), parts in 1_usize..4, cut in 1_usize..40) {
        let mut bytes = Vec::new();
        for text in &texts {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(text.len().div_ceil(parts).max(1)).collect();
            let pieces = if pieces.is_empty() { vec![&[][..]] } else { pieces };
            for (number, piece) in pieces.iter().enumerate() {
                let fin = if number + 1 == pieces.len() { FIN } else { 0 };
                bytes.extend(masked(fin | u8::from(number == 0), piece));
            }
        }
        let mut decoder = Decoder::new(LIMIT);
        let mut read = Vec::new();
        for piece in bytes.chunks(cut) {
            decoder.feed(piece);
            while let Some(message) = decoder.decode().unwrap() {
                read.push(message);
            }
        }
        prop_assert_eq!(read, texts.into_iter().map(Message::Text).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_break_it(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..10)) {
        let mut decoder = Decoder::new(LIMIT);
        for piece in pieces {
            decoder.feed(&piece);
            while let Ok(Some(message)) = decoder.decode() {
                if message == Message::Binary {
                    return Ok(());
                }
            }
            prop_assert!(decoder.bytes.len() <= 10 * 40);
        }
    }
}
