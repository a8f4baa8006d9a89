//! Several nodes on one store and one bus, in paused time.

mod changes;
mod direct;
mod grants;
mod kicks;
mod lists;
mod official;
mod outage;
mod reading;
mod retention;
mod sealing;
mod world;
