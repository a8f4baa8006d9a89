use proptest::prelude::*;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_websockets::{Config, Limits, Message, ServerBuilder};

use super::incoming::NotFrame;
use super::*;

/// The frame with this payload as a server sends it.
fn from_server(payload: &[u8]) -> Vec<u8> {
    let mut masked = Vec::new();
    append(&mut masked, Opcode::Text, (payload, 0));
    let head = masked.len() - payload.len() - 4;
    masked.drain(head..head + 4);
    masked[1] &= 0x7F;
    masked
}

#[test]
fn frames_are_those_of_the_rfcs_examples() {
    let hello = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(next(&hello), Ok(Some((Frame::Text(b"Hello"), 7))));
    let mut masked = Vec::new();
    append(&mut masked, Opcode::Text, (b"Hello", 0x37fa_213d));
    assert_eq!(masked, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    assert_eq!(next(&[0x89, 0x02, 1, 2]), Ok(Some((Frame::Ping(&[1, 2]), 4))));
    assert_eq!(next(&[0x88, 0x02, 0x03, 0xF4]), Ok(Some((Frame::Close(Some(1012)), 4))));
}

#[test]
fn what_no_chat_server_sends_is_named() {
    assert_eq!(next(&[0x81, 0x85, 0, 0, 0, 0]), Err(NotFrame::Masked));
    assert_eq!(next(&[0xC1, 0x00]), Err(NotFrame::Reserved));
    assert_eq!(next(&[0x01, 0x00]), Err(NotFrame::Kind(1)));
    assert_eq!(next(&[0x82, 0x00]), Err(NotFrame::Kind(2)));
    let long = [0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(next(&long), Err(NotFrame::Length(1 << 32)));
}

#[test]
fn a_handshake_is_accepted_only_with_the_right_key() {
    let good = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x00";
    assert_eq!(take_answer(good), Answer::Accepted(good.len() - 2));
    assert_eq!(take_answer(&good[..40]), Answer::Unfinished);
    let bad = b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: x\r\n\r\n";
    assert!(matches!(take_answer(bad), Answer::Refused(_)));
    let full = b"HTTP/1.1 503 Service Unavailable\r\n\r\n{\"code\":\"node_full\",\"detail\":\"d\"}";
    assert_eq!(take_answer(full), Answer::Refused("HTTP/1.1 503 Service Unavailable node_full".to_owned()));
}

#[test]
fn the_request_is_one_that_another_library_accepts() {
    block_on(async {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        client.write_all(request("chat.example", "/gateway").as_bytes()).await.unwrap();
        let (asked, mut server) = ServerBuilder::new().accept(server).await.unwrap();
        assert_eq!(asked.uri().path(), "/gateway");
        server.send(Message::text("hi")).await.unwrap();
        let mut read = Vec::new();
        let begin = loop {
            client.read_buf(&mut read).await.unwrap();
            match take_answer(&read) {
                Answer::Accepted(begin) if read.len() > begin => break begin,
                Answer::Refused(why) => panic!("{why}"),
                _ => {}
            }
        };
        assert_eq!(next(&read[begin..]), Ok(Some((Frame::Text(b"hi"), 4))));
    });
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// What another library reads from these bytes.
async fn read_by_another(bytes: &[u8]) -> String {
    let (mut client, server) = tokio::io::duplex(256 * 1024);
    client.write_all(bytes).await.unwrap();
    let mut server = ServerBuilder::new().limits(Limits::unlimited()).serve(server);
    server.next().await.unwrap().unwrap().as_text().unwrap().to_owned()
}

/// The bytes that another library writes for this text.
async fn written_by_another(text: &str) -> Vec<u8> {
    let (mut client, server) = tokio::io::duplex(256 * 1024);
    let mut server = ServerBuilder::new().config(Config::default().frame_size(usize::MAX)).serve(server);
    server.send(Message::text(text.to_owned())).await.unwrap();
    drop(server);
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).await.unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn another_library_reads_what_is_written_here(text in "\\PC{0,300}", repeat in 1_usize..300, mask: u32) {
        let text = text.repeat(repeat);
        let mut bytes = Vec::new();
        append(&mut bytes, Opcode::Text, (text.as_bytes(), mask));
        prop_assert_eq!(block_on(read_by_another(&bytes)), text);
    }

    #[test]
    fn what_another_library_writes_is_read_here(text in "\\PC{0,300}", repeat in 1_usize..300) {
        let text = text.repeat(repeat);
        let bytes = block_on(written_by_another(&text));
        let (frame, length) = next(&bytes).unwrap().unwrap();
        prop_assert_eq!((frame, length), (Frame::Text(text.as_bytes()), bytes.len()));
    }

    #[test]
    fn frames_are_found_wherever_the_stream_was_cut(
        texts in prop::collection::vec("[a-z]{0,200}", 1..8),
        cut in 0_usize..2_000,
    ) {
        let stream: Vec<u8> = texts.iter().flat_map(|text| from_server(text.as_bytes())).collect();
        let cut = cut.min(stream.len());
        let (mut begin, mut seen) = (0, Vec::new());
        for end in [cut, stream.len()] {
            while let Some((Frame::Text(text), length)) = next(&stream[begin..end]).unwrap() {
                seen.push(String::from_utf8(text.to_vec()).unwrap());
                begin += length;
            }
        }
        prop_assert_eq!((seen, begin), (texts, stream.len()));
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(Some((_, length))) = next(&bytes) {
            prop_assert!(length <= bytes.len());
        }
    }
}
