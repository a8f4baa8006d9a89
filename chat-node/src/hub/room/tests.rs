use super::*;
use crate::hub::send_queue::{SendQueueReader, send_queue};
use crate::ids::MessageId;
use crate::protocol::message::{Composed, Message, Place, User};

const NONE: AccessVersion = AccessVersion(0);

fn room() -> Room {
    Room::new(ChannelId(9), ChannelKind::Group(crate::ids::GroupId(7)))
}

fn head(position: u64) -> Head {
    Head { position: Position(position), access: NONE, floor: Position(0) }
}

fn entry(position: u64) -> Entry {
    Entry::Void { channel_id: ChannelId(9), position: Position(position) }
}

fn message(position: u64, access: u64) -> Entry {
    let place = Place {
        id: MessageId(position << 22),
        channel_id: ChannelId(9),
        position: Position(position),
        access: AccessVersion(access),
    };
    let author = User { id: "zoe".parse().unwrap(), name: "Zoe".to_owned() };
    Entry::Message(Message::new(place, author, position.to_string(), Composed::default()))
}

fn follower(connection: u64, user: &str) -> (Follower, SendQueueReader) {
    let (queue, reader) = send_queue(10_000);
    (Follower { connection: ConnectionId(connection), user: user.parse().unwrap(), queue }, reader)
}

#[tokio::test]
async fn a_follower_gets_what_comes_after_its_position_in_order() {
    let (ada, reader) = follower(1, "ada");
    let room = room();
    room.open(Position(4), NONE);
    assert_eq!(room.join(&ada, Position(4), NONE), Join::Joined);
    assert!(room.receive(entry(6)).begin_fill);
    let passed = room.receive(entry(5));
    assert_eq!((passed.entries, passed.deliveries, passed.begin_fill), (2, 2, false));
    let frames: Vec<_> = reader.take_now().iter().map(|frame| frame.as_str().to_owned()).collect();
    assert!(frames[0].contains(r#""position":"5""#) && frames[1].contains(r#""position":"6""#));
}

#[tokio::test]
async fn joining_needs_the_position_of_the_gate() {
    let (ada, _reader) = follower(1, "ada");
    let room = room();
    assert_eq!(room.join(&ada, Position(4), NONE), Join::Closed);
    room.open(Position(4), NONE);
    assert_eq!(room.join(&ada, Position(2), NONE), Join::Behind(Position(4)));
    assert_eq!(room.join(&ada, Position(5), NONE), Join::Ahead);
}

#[test]
fn only_one_begins_to_fill_a_gap() {
    let room = room();
    room.open(Position(0), NONE);
    assert!(room.receive(entry(3)).begin_fill);
    assert!(!room.receive(entry(4)).begin_fill);
    assert!(room.missing_or_done().is_some());
    room.give_up_filling(None);
    assert!(room.compare(head(4)).begin_fill);
    room.receive(entry(1));
    room.receive(entry(2));
    assert!(room.missing_or_done().is_none());
    assert!(room.receive(entry(9)).begin_fill);
}

#[tokio::test]
async fn who_may_not_read_any_more_is_out_before_what_was_stored_since_goes_through() {
    let ((ada, to_ada), (bob, to_bob)) = (follower(1, "ada"), follower(2, "bob"));
    let room = room();
    room.open(Position(0), AccessVersion(1));
    for follower in [&ada, &bob] {
        assert_eq!(room.join(follower, Position(0), AccessVersion(1)), Join::Joined);
    }
    let passed = room.receive(message(1, 3));
    assert!(passed.begin_check && passed.entries == 0);
    assert_eq!(room.unchecked_or_done(), Some(AccessVersion(3)));
    let (since, users) = room.examine(AccessVersion(3));
    assert_eq!((since, users.len()), (AccessVersion(1), 2));
    let (passed, gone) = room.settle(AccessVersion(3), &BTreeSet::from([bob.user.clone()]));
    assert_eq!((passed.entries, passed.deliveries, gone), (1, 1, vec![bob.connection]));
    assert_eq!(room.unchecked_or_done(), None);
    assert_eq!(to_ada.take_now().len(), 1);
    assert!(to_bob.take_now().is_empty());
}

#[test]
fn unread_messages_are_counted_here_once_the_last_one_has_come() {
    let room = room();
    room.recall(Position(2), &[message(3, 0)]);
    let unread = |read, last| room.unread((Position(read), Position(last)));
    assert_eq!(unread(2, 3), None, "the gate is closed");
    room.open(Position(3), NONE);
    assert_eq!((unread(2, 3), unread(1, 3), unread(2, 4)), (Some(1), None, None));
    room.receive(message(4, 0));
    assert_eq!((unread(2, 4), unread(4, 4)), (Some(2), Some(0)));
    room.compare(Head { floor: Position(3), ..head(4) });
    assert_eq!(unread(2, 4), Some(1), "the store has the other one no more");
}

#[test]
fn a_change_that_only_the_store_tells_of_is_checked_too() {
    let room = room();
    room.open(Position(0), AccessVersion(1));
    assert!(!room.compare(Head { access: AccessVersion(1), ..head(0) }).begin_check);
    assert!(room.compare(Head { access: AccessVersion(2), ..head(0) }).begin_check);
}

#[test]
fn a_change_that_was_heard_of_is_checked_once_without_any_entry() {
    let room = room();
    room.open(Position(0), AccessVersion(1));
    assert!(room.hear(AccessVersion(2)).begin_check);
    assert!(!room.hear(AccessVersion(2)).begin_check, "somebody is at it");
    room.give_up_checking();
    assert!(room.compare(head(0)).begin_check, "the next look begins anew");
    room.settle(AccessVersion(2), &BTreeSet::new());
    assert_eq!(room.unchecked_or_done(), None);
    assert!(!room.hear(AccessVersion(2)).begin_check);
}

#[test]
fn who_was_checked_before_the_look_cannot_slip_in_behind_it() {
    let ((ada, _to_ada), (bob, _to_bob)) = (follower(1, "ada"), follower(2, "bob"));
    let room = room();
    room.open(Position(0), AccessVersion(1));
    room.hear(AccessVersion(2));
    room.examine(AccessVersion(2));
    assert_eq!(room.join(&ada, Position(0), AccessVersion(1)), Join::Outdated(AccessVersion(2)));
    // Bob is back since version 3, whatever was found under version 2.
    assert_eq!(room.join(&bob, Position(0), AccessVersion(3)), Join::Joined);
    let (_, gone) = room.settle(AccessVersion(2), &BTreeSet::from([bob.user]));
    assert_eq!(gone, []);
}

#[tokio::test]
async fn a_room_closes_only_when_it_is_empty() {
    let ((ada, _to_ada), (bob, _to_bob)) = (follower(1, "ada"), follower(2, "bob"));
    let room = room();
    room.open(Position(0), NONE);
    room.join(&ada, Position(0), NONE);
    assert!(!room.close_if_empty());
    room.leave(ConnectionId(1));
    assert!(room.close_if_empty());
    assert_eq!(room.join(&bob, Position(0), NONE), Join::Closed);
}

#[test]
fn only_what_the_log_did_not_have_twice_is_taken_for_open() {
    let room = room();
    room.open(Position(4), NONE);
    let missing = |head: Head| {
        room.compare(head);
        room.missing().unwrap()
    };
    let first = missing(head(6));
    assert_eq!(room.give_up_filling(Some(first)), None);
    let second = missing(head(9));
    assert_eq!(room.give_up_filling(Some(second)), Some(first), "what is newer may still come");
    assert_eq!(room.give_up_filling(None), None, "the log did not answer");
    assert_eq!(room.give_up_filling(Some(second)), None);
    room.receive(entry(5));
    assert_eq!(room.give_up_filling(room.missing()), None, "something has come");
    assert_eq!(room.give_up_filling(room.missing()), room.missing());
}

#[test]
fn a_room_goes_on_behind_what_is_gone_by_retention() {
    let room = room();
    room.open(Position(4), NONE);
    room.receive(entry(8));
    assert!(room.missing().is_some());
    let passed = room.compare(Head { floor: Position(7), ..head(8) });
    assert_eq!((passed.entries, room.last(), room.missing()), (1, Position(8), None));
}
