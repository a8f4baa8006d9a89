use std::time::Duration;

use super::*;

const ROOM: RoomNumber = RoomNumber(1);
const ADA: UserNumber = UserNumber(0);
const BOB: UserNumber = UserNumber(1);

/// A channel with messages 0 to 3 at positions 1, 2, 4 and 5, all acknowledged, and a void at 3.
fn oracle() -> Oracle {
    let mut oracle = Oracle::new(Run::new("r".to_owned(), 50), &[1, 900]);
    for position in [1, 2, 4, 5] {
        let number = oracle.ledger.note(Duration::from_millis(position * 100), (ROOM, ADA));
        oracle.ledger.get_mut(number).unwrap().server = Some(7);
        assert!(oracle.acknowledged(number, Place { id: position * 10, position }));
    }
    oracle
}

fn entry(position: u64) -> Entry {
    let number = match position {
        3 => return Entry { position, content: Content::Void },
        1 | 2 => position - 1,
        _ => position - 2,
    };
    let number = Some(MessageNumber(number as u32));
    let arrived =
        Arrived { id: position * 10, digest: position * 1_000, number, author: Some(ADA), as_written: true };
    Entry { position, content: Content::Message(arrived) }
}

fn altered(position: u64, change: impl FnOnce(&mut Arrived)) -> Entry {
    let mut entry = entry(position);
    if let Content::Message(message) = &mut entry.content {
        change(message);
    }
    entry
}

fn read(oracle: &mut Oracle, reader: UserNumber, entries: &[Entry]) {
    let mut seat = oracle.begins(ROOM, 0);
    for entry in entries {
        oracle.arrived(reader, &mut seat, entry);
    }
    oracle.ends(reader, seat);
}

fn all() -> Vec<Entry> {
    (1..=5).map(entry).collect()
}

fn kept() -> Vec<Kept> {
    [1, 2, 4, 5].map(|position| Kept { position, digest: position * 1_000 }).to_vec()
}

/// What is found when Bob gets these entries after Ada got all as they were sent.
fn found(entries: &[Entry]) -> Verdict {
    let mut oracle = oracle();
    read(&mut oracle, ADA, &all());
    read(&mut oracle, BOB, entries);
    oracle.settles();
    oracle.verdict
}

fn kinds(verdict: &Verdict) -> Vec<(Kind, u64)> {
    verdict.counts.iter().map(|(kind, count)| (*kind, *count)).collect()
}

#[test]
fn all_messages_once_and_in_order_are_right() {
    let mut oracle = oracle();
    read(&mut oracle, ADA, &all());
    read(&mut oracle, BOB, &all());
    oracle.settles();
    oracle.compare(ROOM, (ADA, &kept()));
    assert!(oracle.verdict.is_clean(), "{}", oracle.verdict);
}

#[test]
fn a_lost_message_is_found_and_named_with_its_path() {
    let verdict = found(&[entry(1), entry(3), entry(4), entry(5)]);
    assert_eq!(kinds(&verdict), [(Kind::Missing, 1)]);
    let what = &verdict.first[0].what;
    for part in ["load-r-1,", "channel 900", "position 2", "of load-r-0", "nonce r-1", "server 7", "id 20"] {
        assert!(what.contains(part), "{part}: {what}");
    }
}

#[test]
fn a_message_that_never_comes_is_found_at_the_end() {
    let verdict = found(&[entry(1), entry(2), entry(3), entry(4)]);
    assert_eq!(kinds(&verdict), [(Kind::Missing, 1)]);
    assert!(verdict.first[0].what.contains("nonce r-3"), "{verdict}");
}

#[test]
fn doubled_swapped_and_altered_messages_are_found() {
    let doubled = found(&[entry(1), entry(2), entry(2), entry(3), entry(4), entry(5)]);
    assert_eq!(kinds(&doubled), [(Kind::Again, 1)]);
    let swapped = found(&[entry(2), entry(1), entry(3), entry(4), entry(5)]);
    assert_eq!(kinds(&swapped), [(Kind::Missing, 1), (Kind::Again, 1)]);
    let other = altered(2, |message| message.digest += 1);
    let differs = found(&[entry(1), other, entry(3), entry(4), entry(5)]);
    assert_eq!(kinds(&differs), [(Kind::Differs, 1)]);
    let void = Entry { position: 2, content: Content::Void };
    assert_eq!(kinds(&found(&[entry(1), void, entry(3), entry(4), entry(5)])), [(Kind::Differs, 1)]);
}

#[test]
fn what_is_not_as_it_was_sent_is_found_by_its_first_reader() {
    for change in [
        (|message| message.as_written = false) as fn(&mut Arrived),
        |message| message.author = Some(BOB),
        |message| message.author = None,
    ] {
        let mut oracle = oracle();
        read(&mut oracle, ADA, &[entry(1), altered(2, change), entry(3), entry(4), entry(5)]);
        assert_eq!(kinds(&oracle.verdict), [(Kind::Altered, 1)]);
    }
}

#[test]
fn a_message_at_two_positions_is_found() {
    let mut oracle = oracle();
    let twin = Entry { position: 6, content: entry(5).content };
    let entries: Vec<Entry> = all().into_iter().chain([twin]).collect();
    read(&mut oracle, ADA, &entries);
    oracle.settles();
    assert_eq!(kinds(&oracle.verdict), [(Kind::Twice, 1), (Kind::IdFell, 1)]);
}

#[test]
fn acks_must_come_agree_and_be_true() {
    let mut oracle = oracle();
    read(&mut oracle, ADA, &all());
    oracle.ledger.note(Duration::ZERO, (ROOM, ADA));
    assert!(!oracle.acknowledged(MessageNumber(0), Place { id: 10, position: 1 }));
    assert!(!oracle.acknowledged(MessageNumber(0), Place { id: 11, position: 1 }));
    oracle.ledger.get_mut(MessageNumber(1)).unwrap().ack = Some(Place { id: 20, position: 4 });
    oracle.settles();
    assert_eq!(kinds(&oracle.verdict), [(Kind::AckedTwice, 1), (Kind::NoAck, 1), (Kind::NotWhereAcked, 1)]);
}

#[test]
fn the_store_must_hold_what_was_shown_and_nothing_else() {
    let compared = |kept: &[Kept]| {
        let mut oracle = oracle();
        read(&mut oracle, ADA, &all());
        oracle.compare(ROOM, (ADA, kept));
        kinds(&oracle.verdict)
    };
    let mut more = kept();
    more.push(Kept { position: 6, digest: 6_000 });
    assert_eq!(compared(&more), [(Kind::NotShown, 1)]);
    assert_eq!(compared(&kept()[1..]), [(Kind::NotStored, 1)]);
    let mut other = kept();
    other[2].digest += 1;
    assert_eq!(compared(&other), [(Kind::Differs, 1)]);
}

#[test]
fn who_comes_later_is_due_only_what_is_after_their_head() {
    let mut oracle = oracle();
    read(&mut oracle, ADA, &all());
    let mut seat = oracle.begins(ROOM, 3);
    oracle.arrived(BOB, &mut seat, &entry(4));
    oracle.arrived(BOB, &mut seat, &entry(5));
    oracle.ends(BOB, seat);
    // Somebody whose ready was older is told of later.
    let mut late = oracle.begins(ROOM, 1);
    for position in 2..=5 {
        oracle.arrived(UserNumber(2), &mut late, &entry(position));
    }
    assert!(oracle.verdict.is_clean(), "{}", oracle.verdict);
}

#[test]
fn only_the_first_are_described_and_all_are_counted() {
    let mut oracle = oracle();
    let mut seat = oracle.begins(ROOM, 0);
    for _ in 0..100 {
        oracle.arrived(ADA, &mut seat, &entry(1));
    }
    assert_eq!((oracle.verdict.total(), oracle.verdict.first.len()), (99, 20));
}

/// An oracle that was told of messages, each with the ms at which it was due and came and that its id tells.
fn timed(messages: &[(u64, u64, u64)]) -> Verdict {
    let mut oracle = Oracle::new(Run::new("r".to_owned(), 50), &[1, 900]);
    let mut seat = oracle.begins(ROOM, 0);
    for (position, (due, came, told)) in (1..).zip(messages) {
        let number = oracle.ledger.note(Duration::from_millis(*due), (ROOM, ADA));
        let place = Place { id: told << 22, position };
        oracle.acknowledged(number, place);
        oracle.ledger.get_mut(number).unwrap().last_arrival = Duration::from_millis(*came);
        let message =
            Arrived { id: place.id, digest: 8, number: Some(number), author: Some(ADA), as_written: true };
        oracle.arrived(ADA, &mut seat, &Entry { position, content: Content::Message(message) });
    }
    oracle.settles();
    oracle.verdict
}

#[test]
fn the_times_of_ids_are_right_whatever_the_services_clock_is() {
    for clock_ms in [0, 60_000_000_000] {
        let slow = (1_000, 95_000, clock_ms + 94_000);
        let verdict = timed(&[(0, 10, clock_ms + 5), slow, (95_000, 95_010, clock_ms + 95_005)]);
        assert!(verdict.is_clean(), "{verdict}");
    }
}

#[test]
fn an_id_with_the_time_of_a_clock_that_stepped_is_found() {
    for stepped in [-3_600_000, 3_600_000] {
        let told = 9_000_000_u64.saturating_add_signed(stepped);
        let verdict = timed(&[(0, 10, 8_999_000), (1_000, 1_010, told)]);
        assert_eq!(verdict.counts.get(&Kind::WrongTime), Some(&1), "{verdict}");
        assert!(verdict.first.iter().any(|first| first.what.contains("3599990 ms")), "{verdict}");
    }
}

#[test]
fn an_id_below_the_one_before_it_is_found() {
    let verdict = timed(&[(0, 10, 1_000), (1_000, 1_010, 999)]);
    assert_eq!(kinds(&verdict), [(Kind::IdFell, 1)], "{verdict}");
}
