//! Channels: each is a log of entries.

pub mod history;
pub mod log;
