//! What a client says.

use super::client::State;
use super::world::World;
use crate::load::cast::RoomNumber;
use crate::load::message::MessageNumber;
use crate::load::websocket::{Opcode, append};
use crate::load::wire;

/// Sends a message, or sends it again. Without a connection it goes with the next one.
pub fn message(world: &World, state: &mut State, number: MessageNumber) {
    let Some(server) = state.link.as_ref().filter(|link| link.signed_in).map(|link| link.server) else {
        return;
    };
    let mut oracle = world.oracle.borrow_mut();
    let Some(sent) = oracle.ledger.get_mut(number) else { return };
    sent.server = Some(server);
    let room = sent.room;
    let said = wire::send(oracle.id(room), &oracle.run().nonce(number), &oracle.run().content(number));
    drop(oracle);
    text(world, state, &said);
}

/// Tells that the user is writing; whether that could be said.
pub fn typing(world: &World, state: &mut State, room: RoomNumber) -> bool {
    let connected = state.link.as_ref().is_some_and(|link| link.signed_in);
    if connected {
        let said = wire::typing(world.oracle.borrow().id(room));
        text(world, state, &said);
    }
    connected
}

/// Says a text.
pub fn text(world: &World, state: &mut State, text: &str) {
    frame(world, state, (Opcode::Text, text.as_bytes()));
}

/// Writes a frame.
pub fn frame(world: &World, state: &mut State, (opcode, payload): (Opcode, &[u8])) {
    let Some(link) = &mut state.link else { return };
    let mut bytes = Vec::with_capacity(payload.len() + 14);
    append(&mut bytes, opcode, (payload, world.rng.borrow_mut().u32(..)));
    // Whoever reads the connection finds out that it is broken.
    let _ = link.write(&bytes);
    if state.is_stuck() {
        state.wake();
    }
}
