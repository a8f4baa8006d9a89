//! When what is due.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Before anything is measured.
const WARM_UP: Duration = Duration::from_secs(3);

/// So many messages a second, for a while, in so many channels.
#[derive(Clone, Copy)]
pub struct Pace {
    length: Duration,
    every: Duration,
    pub channels: usize,
}

/// A message by its number from 0.
#[derive(Clone, Copy)]
pub struct Turn {
    pub number: usize,
    pub due: Instant,
    /// Whose time is not counted is only there to warm up.
    pub counts: bool,
}

impl Pace {
    /// As the environment says.
    pub fn named() -> Self {
        let number = |name: &str, default: u32| {
            let named = std::env::var(name).ok().and_then(|text| text.parse().ok());
            named.filter(|number| *number > 0).unwrap_or(default)
        };
        Self {
            length: Duration::from_secs(number("VT_BENCH_SECONDS", 30).into()),
            every: Duration::from_secs(1) / number("VT_BENCH_PER_SECOND", 200),
            channels: number("VT_BENCH_CHANNELS", 100) as usize,
        }
    }

    /// The two nodes take turns, and so do the channels: by which node and in which channel this is said.
    pub fn place(&self, turn: Turn) -> (usize, usize) {
        (turn.number % 2, turn.number / 2 % self.channels)
    }

    /// Does this whenever something is due, on a thread of its own: the runtime's timers are as coarse as what is
    /// measured. Gives all that was due.
    pub async fn keep(self, mut act: impl FnMut(Turn) + Send + 'static) -> Result<Vec<Turn>> {
        let begin = Instant::now() + self.every;
        let (warm, all) = (WARM_UP, WARM_UP + self.length);
        let turns = move || {
            let count = all.as_nanos() / self.every.as_nanos();
            let due = |number: usize| self.every * number as u32;
            let turn = |number| Turn { number, due: begin + due(number), counts: due(number) >= warm };
            let follow = |turn: Turn| {
                std::thread::sleep(turn.due.saturating_duration_since(Instant::now()));
                act(turn);
                turn
            };
            (0..count as usize).map(turn).map(follow).collect()
        };
        Ok(tokio::task::spawn_blocking(turns).await?)
    }
}
