//! Several nodes on one store and one bus, in paused time.

mod changes;
mod grants;
mod kicks;
mod lists;
mod official;
mod reading;
mod retention;
mod world;
