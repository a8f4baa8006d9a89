//! What the person at the terminal sees while work goes on.

use std::io::Write as _;
use std::time::Instant;

/// Prints one line when a step begins to matter and one when it ends, each with the time since the start.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    start: Instant,
}

impl Progress {
    /// Counts from now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Says something, with the time since the start: `[ 12.3s] text`.
    pub fn say(&self, text: impl std::fmt::Display) {
        // Nobody is left to read it: the work goes on.
        let _ = writeln!(std::io::stdout(), "[{:>6.1}s] {text}", self.start.elapsed().as_secs_f64());
    }

    /// Runs a step and says how long it took. A step that found nothing to do should not be announced at all.
    pub async fn step<T>(
        &self,
        name: &str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let begin = Instant::now();
        self.say(format_args!("{name} …"));
        let result = work.await;
        let took = begin.elapsed().as_secs_f64();
        match &result {
            Ok(_) => self.say(format_args!("{name}: done in {took:.1} s")),
            Err(_) => self.say(format_args!("{name}: FAILED after {took:.1} s")),
        }
        result
    }
}
