//! Mistakes that are made on purpose: whoever checks must find them.

use std::any::Any;

use chat_node::ids::AccessVersion;
use chat_node::protocol::message::Entry;
use chat_node::store::{Reservation, StoreError};

use crate::chaos::Kind;
use crate::model::Tables;

/// How old roles are that are read too late, in ms.
const LAGS_MS: u64 = 2_000;

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A reader's seal replaces what is at the position: there is no unique index.
    SealsReplace,
    /// A writer that comes late replaces the seal at its position.
    LateWritersReplace,
    /// A node tells the others of what it is about to store.
    TellsBeforeStoring,
    /// Every node gets the same server id.
    OneServerId,
    /// A nonce that is known is stored again.
    NoncesRepeat,
    /// What a node has missed it takes for nothing.
    MissedIsNothing,
    /// What the broker has not confirmed is no reason to look at the store.
    NacksAreNothing,
    /// What the broker has not confirmed is published again.
    NacksAreRepeated,
    /// Entries come from elsewhere without the access version that they were stored under.
    EntriesLoseAccess,
    /// Reservations do not say how new the check of a sender must be.
    ReservationsLoseAccess,
    /// Roles are those of a while ago, whatever version they are read under.
    RolesAreOld,
    /// A role is written over whatever is there by then.
    RolesHaveNoFence,
    /// A reservation's time is that of the clock, not after the last one's.
    TimesStepBack,
    /// What a client says overtakes what it said before.
    FramesOvertake,
}

impl Flaw {
    /// The faults without which it hardly ever shows: they are in every run that is to find it.
    pub fn shows_in(self) -> &'static [Kind] {
        match self {
            Self::SealsReplace | Self::LateWritersReplace => &[Kind::StoreLate, Kind::StoreStalls],
            _ => &[],
        }
    }

    /// How often a write takes effect late because of it, without which it hardly ever shows.
    pub fn delays(self, call: &str) -> f64 {
        if (self, call) == (Self::RolesHaveNoFence, "set_role") { 0.3 } else { 0.0 }
    }

    pub fn before_insert(self, entry: &Entry, tables: &mut Tables) {
        match (self, entry) {
            (Self::SealsReplace, Entry::Void { channel_id, position }) => {
                tables.forget(*channel_id, *position)
            }
            (Self::LateWritersReplace, Entry::Message(message)) => {
                let there = tables.entry(message.channel_id, message.position);
                if matches!(there, Some(Entry::Void { .. })) {
                    tables.forget(message.channel_id, message.position);
                }
            }
            (Self::NoncesRepeat, Entry::Message(message)) => tables.forget_nonce(message),
            _ => {}
        }
    }

    /// Does a call that reads or writes, wrongly.
    pub fn call<T: 'static>(self, call: &str, tables: &mut Tables, act: impl FnOnce(&mut Tables) -> T) -> T {
        match (self, call) {
            (Self::OneServerId, "lease_acquire") => tables.free_lease(0),
            (Self::RolesAreOld, "set_role") => tables.keep_roles(),
            (Self::RolesHaveNoFence, "set_role") => tables.has_no_fences = true,
            _ => {}
        }
        let mut value = if (self, call) == (Self::RolesAreOld, "roles") {
            tables.with_kept_roles(LAGS_MS, act)
        } else {
            act(tables)
        };
        let now_ms = tables.now_ms();
        let any: &mut dyn Any = &mut value;
        if let Some(Ok(entries)) = any.downcast_mut::<Result<Vec<Entry>, StoreError>>() {
            entries.iter_mut().for_each(|entry| self.spoil(entry));
        } else if let Some(Ok(reserved)) = any.downcast_mut::<Result<Reservation, StoreError>>() {
            match self {
                Self::ReservationsLoseAccess => reserved.access = AccessVersion(0),
                Self::TimesStepBack => reserved.first_ms = now_ms,
                _ => {}
            }
        }
        value
    }

    /// An entry as it comes from elsewhere.
    pub fn spoil(self, entry: &mut Entry) {
        let (channel_id, position) = (entry.channel(), entry.position());
        match self {
            Self::MissedIsNothing => *entry = Entry::Void { channel_id, position },
            Self::EntriesLoseAccess => *entry = entry.clone().under(AccessVersion(0)),
            _ => {}
        }
    }
}
