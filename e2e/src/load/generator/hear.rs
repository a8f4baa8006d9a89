//! What a client does with what it hears.

use std::time::{Duration, Instant};

use super::agenda::Task;
use super::client::{End, Following, State};
use super::say;
use super::tally::Counts;
use super::world::World;
use crate::load::cast::UserNumber;
use crate::load::ledger::Place;
use crate::load::message::MessageNumber;
use crate::load::oracle::{Content, Entry, Kind};
use crate::load::websocket::{Frame, Opcode};
use crate::load::wire::{FromServer, Head, Refusal, identify};

/// The longest delay before a client moves that is taken from a server.
const MOVE_WITHIN_MAX: Duration = Duration::from_secs(120);
/// Of the time in which a server wants to hear something, a client waits this part.
const HEARTBEAT_PART: f64 = 0.8;

/// Takes a frame in, which was read at `now`; an end if the connection is over.
pub fn hear(world: &World, user: UserNumber, (frame, now): (&Frame<'_>, Instant)) -> Option<End> {
    match frame {
        Frame::Text(text) => {
            let heard = world.reader.borrow_mut().read(text);
            match heard {
                Ok(heard) => understand(world, user, (heard, now)),
                Err(error) => Some(End::Lost(error.to_string())),
            }
        }
        Frame::Ping(payload) => {
            let mut state = world.client(user).state.borrow_mut();
            say::frame(world, &mut state, (Opcode::Pong, payload));
            None
        }
        Frame::Pong => None,
        Frame::Close(code) => Some(closed(*code)),
    }
}

/// What the protocol tells clients to do after each code.
fn closed(code: Option<u16>) -> End {
    let reason = code.map_or("closed".to_owned(), |code| format!("closed with {code}"));
    match code {
        Some(1009 | 4002 | 4003 | 4004 | 4005 | 4007 | 4011) => End::Lost(reason),
        _ => End::Broken(reason),
    }
}

fn understand(world: &World, user: UserNumber, (heard, now): (FromServer, Instant)) -> Option<End> {
    let mut state = world.client(user).state.borrow_mut();
    match heard {
        FromServer::Entry(channel, entry) => arrived(world, user, (&mut state, (channel, &entry), now)),
        FromServer::Ack(number, place) => acknowledged(world, user, (&mut state, (number, place), now)),
        FromServer::Hello { heartbeat, server } => hello(world, user, (&mut state, heartbeat, server)),
        FromServer::Ready(heads) => ready(world, user, (&mut state, &heads, now)),
        FromServer::Begins(head) => begin(world, &mut state, head),
        FromServer::HeartbeatAck(heads) => compare(world, user, (&mut state, &heads)),
        FromServer::Reconnect(delay) => {
            world.tally.borrow_mut().counts.asked_to_move += 1;
            let at = now + delay.min(MOVE_WITHIN_MAX);
            world.agenda.borrow_mut().add(at, Task::Leave(user, state.generation));
        }
        FromServer::Refused(refusal) => refused(world, user, (&mut state, &refusal, now)),
        FromServer::Typing => world.tally.borrow_mut().counts.typing_heard += 1,
        FromServer::Other => {}
    }
    None
}

fn hello(world: &World, user: UserNumber, (state, heartbeat, server): (&mut State, Duration, u16)) {
    if let Some(link) = &mut state.link {
        (link.heartbeat, link.server) = (heartbeat, server);
    }
    let seats: Vec<_> = state.following.iter().map(|following| following.seat).collect();
    let oracle = world.oracle.borrow();
    let text = identify(&world.tokens[user.0 as usize], &seats, |seat| oracle.id(seat.room));
    say::text(world, state, &text);
}

fn ready(world: &World, user: UserNumber, (state, heads, now): (&mut State, &[Head], Instant)) {
    for head in heads {
        begin(world, state, *head);
    }
    state.backoff.succeeded();
    (state.heard, state.turn) = (true, None);
    let Some(link) = &mut state.link else { return };
    link.signed_in = true;
    let beat = link.heartbeat.mul_f64(HEARTBEAT_PART);
    // Not everybody's at the same moment.
    let first = now + beat.mul_f64(world.rng.borrow_mut().f64());
    world.agenda.borrow_mut().add(first, Task::Beat(user, state.generation));
    let mut tally = world.tally.borrow_mut();
    tally.counts.sign_ins += 1;
    tally.signed_in += 1;
    let took = now.saturating_duration_since(state.due.take().unwrap_or(now));
    let clocks = &mut tally.clocks;
    if state.generation == 1 {
        clocks.sign_in.note(took)
    } else {
        clocks.come_back.note(took)
    }
    drop(tally);
    for number in state.flying.clone() {
        say::message(world, state, number);
    }
}

/// A channel that the client follows from its head on, or goes on with from its cursor.
fn begin(world: &World, state: &mut State, head: Head) {
    let mut oracle = world.oracle.borrow_mut();
    let Some(room) = oracle.room(head.channel) else { return };
    match state.find(room) {
        Some(known) => known.head = head.position,
        None => {
            let seat = oracle.begins(room, head.position);
            state.following.push(Following { seat, head: head.position });
        }
    }
}

fn arrived(
    world: &World,
    user: UserNumber,
    (state, (channel, entry), now): (&mut State, (u64, &Entry), Instant),
) {
    let mut oracle = world.oracle.borrow_mut();
    let Some(room) = oracle.room(channel) else { return };
    let Some(following) = state.find(room) else {
        let who = oracle.run().user(user.0);
        let what = || format!("{who} got {entry:?} of channel {channel}, which was not in ready");
        return oracle.verdict.add(Kind::Again, what);
    };
    if !oracle.arrived(user, &mut following.seat, entry) {
        return;
    }
    let mut tally = world.tally.borrow_mut();
    if entry.position <= following.head {
        tally.counts.replays += 1;
        return;
    }
    tally.counts.deliveries += 1;
    let Content::Message(message) = &entry.content else { return };
    let Some(sent) = message.number.and_then(|number| oracle.ledger.get_mut(number)) else { return };
    if world.client(user).is_slow {
        return;
    }
    let passed = world.passed(now);
    sent.last_arrival = passed;
    if tally.measures(sent.due) {
        let took = passed.saturating_sub(sent.due);
        tally.clocks.delivery.note(took);
        tally.clocks.talk.entry(world.cast.talk(room)).or_default().note(took);
        tally.clocks.recent.note(took);
    }
}

fn acknowledged(
    world: &World,
    user: UserNumber,
    (state, (number, place), now): (&mut State, (MessageNumber, Place), Instant),
) {
    let mut oracle = world.oracle.borrow_mut();
    if oracle.acknowledged(number, place) {
        let mut tally = world.tally.borrow_mut();
        tally.counts.acks += 1;
        let due = oracle.ledger.get(number).map_or(Duration::ZERO, |sent| sent.due);
        if tally.measures(due) && !world.client(user).is_slow {
            tally.clocks.ack.note(world.passed(now).saturating_sub(due));
        }
    }
    drop(oracle);
    if let Some(next) = state.answered(number) {
        say::message(world, state, next);
    }
}

/// Whoever has seen less than what was sent before has lost something.
fn compare(world: &World, user: UserNumber, (state, heads): (&mut State, &[Head])) {
    let mut oracle = world.oracle.borrow_mut();
    for head in heads {
        let Some(room) = oracle.room(head.channel) else { continue };
        if let Some(following) = state.find(room)
            && following.seat.last < head.position
        {
            oracle.lags(user, following.seat, head.position);
        }
    }
}

fn refused(world: &World, user: UserNumber, (state, refusal, now): (&mut State, &Refusal, Instant)) {
    Counts::add(&mut world.tally.borrow_mut().counts.refused, &refusal.code);
    let Some(number) = refusal.number else { return };
    if let Some(retry_after) = refusal.retry_after {
        return world.agenda.borrow_mut().add(now + retry_after, Task::Resend(user, number));
    }
    world.oracle.borrow_mut().refused(number, &format!("{}: {}", refusal.code, refusal.message));
    if let Some(next) = state.answered(number) {
        say::message(world, state, next);
    }
}
