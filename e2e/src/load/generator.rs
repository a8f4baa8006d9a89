//! Tens of thousands of clients on one thread: they connect, do what the schedule says, and are asked in the end whether
//! they have got everything.

mod agenda;
mod alarm;
mod backoff;
mod client;
mod connection;
mod hear;
mod life;
mod phases;
mod pulse;
mod say;
pub mod stream;
mod tally;
mod watch;
mod world;

use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::cast::Cast;
use super::message::Run;
use super::meter::{Meter, Usage};
use super::oracle::Oracle;
use super::profile::Profile;
use crate::progress::Progress;

pub use tally::{Counts, Tally};
pub use world::Way;

/// All that a run needs to know.
#[derive(Debug)]
pub struct Plan {
    /// What happens.
    pub profile: Profile,
    /// Who is where.
    pub cast: Cast,
    /// The run.
    pub run: Run,
    /// The way in.
    pub way: Way,
    /// Each user's token.
    pub tokens: Vec<String>,
    /// The ids of the channels, in the order of their numbers.
    pub channels: Vec<u64>,
    /// Is told when the traffic begins.
    pub begun: oneshot::Sender<Instant>,
    /// Whether the server has a core of its own, which is not to be used.
    pub keeps_apart: bool,
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What must not happen, as far as clients see it.
    pub oracle: Oracle,
    /// What was counted and timed.
    pub tally: Tally,
    /// Until all were signed in, in s.
    pub connected_s: f64,
    /// What processes used meanwhile.
    pub connecting: Usage,
    /// What happened from the end of the warm-up on.
    pub measured: Option<Measured>,
}

/// What happened from the end of the warm-up on.
#[derive(Debug)]
pub struct Measured {
    /// The part of the schedule, in s.
    pub scheduled_s: f64,
    /// Counts at the begin of it.
    pub before: Counts,
    /// What processes used, until all was quiet.
    pub usage: Usage,
}

/// Runs it, on a thread of its own.
pub async fn run(plan: Plan, (meter, progress): (Meter, Progress)) -> Result<Outcome> {
    let (sender, outcome) = oneshot::channel();
    let work = move || {
        // Nobody waits any more only if this program ends.
        let _ = sender.send(work(plan, (meter, progress)));
    };
    std::thread::Builder::new().name("generator".to_owned()).spawn(work).context("no thread is left")?;
    outcome.await.map_err(|_| anyhow!("the generator broke"))?
}

fn work(plan: Plan, (meter, progress): (Meter, Progress)) -> Result<Outcome> {
    if plan.keeps_apart {
        super::cores::keep_to_own();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, phases::all(plan, (meter, progress)))
}
