use std::io::{ErrorKind, IoSlice};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::ids::ChannelId;
use crate::protocol::codec::encode;
use crate::protocol::frame::{Event, ServerFrame};
use crate::websocket::frame::{Frame, Opcode};

fn frame() -> Encoded {
    encode(&ServerFrame::HeartbeatAck { heads: &std::collections::BTreeMap::new() })
}

async fn taken(reader: &SendQueueReader) -> Vec<Encoded> {
    match reader.due().await {
        Due::Frames(frames) => frames,
        Due::Stalled => panic!("there is no outlet"),
    }
}

#[tokio::test]
async fn frames_come_out_in_order_and_together() {
    let (queue, reader) = send_queue(10_000);
    let frames: Vec<_> =
        [1, 2, 3].map(|delay_ms| encode(&ServerFrame::Reconnect { delay_ms })).into_iter().collect();
    for frame in &frames {
        queue.push(frame);
    }
    assert_eq!(taken(&reader).await, frames);
}

#[tokio::test]
async fn a_full_queue_says_so_and_takes_nothing_more() {
    let (queue, reader) = send_queue(200);
    for _ in 0..10 {
        queue.push(&frame());
    }
    reader.overflowed().await;
    let before = taken(&reader).await.len();
    assert!((1..10).contains(&before));
    queue.push(&frame());
    assert!(reader.take_now().is_empty());
}

#[tokio::test]
async fn ephemeral_frames_give_way_before_the_connection_is_too_slow() {
    let ada = "ada".parse().unwrap();
    let typing = encode(&ServerFrame::Event(Event::Typing { channel_id: ChannelId(9), user_id: &ada }));
    let (queue, reader) = send_queue(8 * (typing.len() + FRAME_OVERHEAD));
    for _ in 0..10 {
        queue.push(&typing);
    }
    let mut durable = 0;
    while !queue.shared.lock().overflowed {
        queue.push(&frame());
        durable += 1;
    }
    // Half of the queue was theirs, and even that they lost.
    assert_eq!(reader.dropped(), 10);
    assert_eq!(taken(&reader).await, vec![frame(); durable - 1]);
}

#[tokio::test(start_paused = true)]
async fn stored_frames_wait_for_room_instead_of_overflowing() {
    let (queue, reader) = send_queue(200);
    let replay = tokio::spawn(async move {
        for _ in 0..50 {
            queue.push_when_there_is_room(&frame()).await;
        }
    });
    let mut count = 0;
    while count < 50 {
        count += taken(&reader).await.len();
    }
    replay.await.unwrap();
    let slow = tokio::time::timeout(Duration::from_secs(1), reader.overflowed()).await;
    assert!(slow.is_err(), "the queue overflowed");
}

#[tokio::test]
async fn waiting_for_room_ends_with_the_connection() {
    let (queue, reader) = send_queue(100);
    let replay = tokio::spawn(async move {
        for _ in 0..50 {
            queue.push_when_there_is_room(&frame()).await;
        }
    });
    tokio::task::yield_now().await;
    drop(reader);
    replay.await.unwrap();
}

/// A client that takes so many bytes at once, and nothing while it is asleep.
#[derive(Debug, Default)]
struct Client {
    got: Mutex<Vec<u8>>,
    takes: AtomicUsize,
}

impl Sink for Client {
    fn write(&self, slices: &[IoSlice<'_>]) -> std::io::Result<usize> {
        let takes = self.takes.load(Ordering::Relaxed);
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(takes).collect();
        self.got.lock().unwrap().extend(&bytes);
        if bytes.is_empty() { Err(ErrorKind::WouldBlock.into()) } else { Ok(bytes.len()) }
    }
}

fn attached(limit: usize, takes: usize) -> (SendQueue, SendQueueReader, Arc<Client>, Arc<Flusher>) {
    let (queue, reader) = send_queue(limit);
    let (client, flusher) = (Arc::new(Client::default()), Arc::new(Flusher::default()));
    client.takes.store(takes, Ordering::Relaxed);
    let sink: Arc<dyn Sink> = client.clone();
    reader.attach(Outlet::new(sink, flusher.clone()));
    (queue, reader, client, flusher)
}

#[tokio::test(start_paused = true)]
async fn a_client_gets_every_byte_in_order_however_little_it_takes_at_once() {
    let (queue, _reader, client, flusher) = attached(10_000, 7);
    let flushing = tokio::spawn(async move { flusher.run().await });
    let mut expected: Vec<u8> = Vec::new();
    for delay_ms in 0..40 {
        let frame = encode(&ServerFrame::Reconnect { delay_ms });
        expected.extend(frame.bytes());
        queue.push(&frame);
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(*client.got.lock().unwrap(), expected);
    assert_eq!(queue.bytes(), 0);
    flushing.abort();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_left_to_its_driver_and_then_goes_on() {
    let (queue, reader, client, flusher) = attached(10_000, 0);
    let flushing = tokio::spawn(async move { flusher.run().await });
    queue.push(&frame());
    assert!(matches!(reader.due().await, Due::Stalled));
    queue.push(&frame());
    client.takes.store(1_000, Ordering::Relaxed);
    assert_eq!(queue.flush(), Flushed::All);
    queue.push(&frame());
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(*client.got.lock().unwrap(), frame().bytes().repeat(3));
    flushing.abort();
}

#[tokio::test]
async fn a_socket_that_takes_no_more_is_waited_for_and_then_gets_the_rest() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (socket, client) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (socket, mut client) = (Arc::new(socket.unwrap()), client.unwrap().0);
    let (queue, reader) = send_queue(usize::MAX);
    let sink: Arc<dyn Sink> = socket.clone();
    reader.attach(Outlet::new(sink, Arc::default()));
    let large = Encoded::control(Frame::new(Opcode::Text, |bytes| bytes.extend([b'x'; 10_000])));
    let mut expected = 0;
    while queue.flush() == Flushed::All {
        (0..100).for_each(|_| queue.put(large.clone()));
        expected += 100 * large.bytes().len();
    }
    // Else the wait would be a busy one.
    let takes = || poll_fn(|context| socket.poll_write_ready(context));
    assert!(takes().now_or_never().is_none());
    let writing = async {
        while queue.flush() != Flushed::All {
            takes().await.unwrap();
        }
    };
    let mut got = vec![0; expected];
    let both = async { tokio::join!(writing, client.read_exact(&mut got)) };
    let ((), read) = tokio::time::timeout(Duration::from_secs(10), both).await.unwrap();
    assert_eq!(read.unwrap(), expected);
    assert_eq!(queue.bytes(), 0);
}

#[tokio::test]
async fn a_frame_that_is_partly_written_does_not_give_way() {
    let ada = "ada".parse().unwrap();
    let typing = encode(&ServerFrame::Event(Event::Typing { channel_id: ChannelId(9), user_id: &ada }));
    let (queue, reader, client, _flusher) = attached(4 * (typing.len() + FRAME_OVERHEAD), 5);
    queue.push(&typing);
    queue.push(&typing);
    client.takes.store(0, Ordering::Relaxed);
    queue.shared.lock().written(5);
    while !queue.shared.lock().overflowed {
        queue.push(&frame());
    }
    assert_eq!(reader.dropped(), 1);
    assert_eq!(queue.shared.lock().frames[0], typing);
}

#[tokio::test]
async fn few_do_not_wait_behind_many() {
    let flusher = Flusher::default();
    let queues: Vec<_> = (0..500).map(|_| send_queue(10_000).0).collect();
    let (last, many) = queues.split_last().unwrap();
    many.iter().for_each(|queue| flusher.add(queue.clone(), Haste::Bulk));
    flusher.add(last.clone(), Haste::Prompt);
    let first = flusher.take();
    assert!(Arc::ptr_eq(&first[0].shared, &last.shared) && first.len() < many.len());
}

#[tokio::test]
async fn many_go_on_however_many_few_there_are() {
    let flusher = Flusher::default();
    let queues: Vec<_> = (0..1_000).map(|_| send_queue(10_000).0).collect();
    let (few, many) = queues.split_at(500);
    few.iter().for_each(|queue| flusher.add(queue.clone(), Haste::Prompt));
    many.iter().for_each(|queue| flusher.add(queue.clone(), Haste::Bulk));
    let turns = flusher.take();
    let is_bulk = |queue: &SendQueue| many.iter().any(|other| Arc::ptr_eq(&other.shared, &queue.shared));
    let bulk = turns.iter().filter(|queue| is_bulk(queue)).count();
    assert!(bulk > 0 && bulk < turns.len() / 2, "{bulk} of {}", turns.len());
}
