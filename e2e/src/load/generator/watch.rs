//! What the person at the terminal sees every second.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::tally::{Counts, Tally};
use super::world::World;
use crate::load::statistics::Quantiles;
use crate::progress::Progress;

const EVERY: Duration = Duration::from_secs(1);

/// What happened in a second.
#[derive(Clone, Debug)]
pub struct Watch {
    signed_in: u32,
    sends: u64,
    deliveries: u64,
    recent: Quantiles,
    /// What did not go smoothly since the begin.
    pub trouble: String,
}

/// Prints a line every second, for as long as it is polled.
pub async fn print(world: Rc<World>, progress: Progress) {
    let mut before = Counts::default();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let mut tally = world.tally.borrow_mut();
        let mut watch = Watch::of(&tally);
        if watch.recent.count > 0 {
            tally.clocks.seconds.push((watch.recent.p50, watch.recent.p99));
        }
        tally.clocks.recent.clear();
        watch.sends -= before.sends;
        watch.deliveries -= before.deliveries;
        before = tally.counts.clone();
        drop(tally);
        let wrong = world.oracle.borrow().verdict.total();
        if wrong > 0 {
            watch.trouble = format!("WRONG: {wrong}; {}", watch.trouble);
        }
        progress.say(watch);
    }
}

impl Watch {
    /// What happened since the begin.
    pub fn of(tally: &Tally) -> Self {
        let Tally { counts, clocks, signed_in, .. } = tally;
        let reasons = counts.broken.iter().chain(&counts.refused);
        let reasons: Vec<String> = reasons.map(|(reason, count)| format!("{count} {reason}")).collect();
        let trouble = if reasons.is_empty() { "no errors".to_owned() } else { reasons.join(", ") };
        let (sends, deliveries) = (counts.sends, counts.deliveries);
        Self { signed_in: *signed_in, sends, deliveries, recent: clocks.recent.quantiles(), trouble }
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signed_in, sends, deliveries, recent, trouble } = self;
        write!(f, "{signed_in} users, {sends} sends/s, {deliveries} deliveries/s")?;
        if recent.count > 0 {
            write!(f, ", p50 {:.1} ms, p99 {:.1} ms", recent.p50, recent.p99)?;
        }
        write!(f, ", {trouble}")
    }
}
