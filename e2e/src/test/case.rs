//! A test: a sentence, a deadline and a function.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use futures::future::BoxFuture;

/// A test of `W`, the world it acts in.
pub struct Case<W> {
    /// What holds if it passes.
    pub name: &'static str,
    /// When it has failed for taking too long.
    pub deadline: Duration,
    /// The test.
    pub run: fn(Arc<W>) -> BoxFuture<'static, Result<()>>,
}

/// `case("sentence", seconds, |world| Box::pin(test(world)))`.
pub const fn case<W>(
    name: &'static str,
    seconds: u64,
    run: fn(Arc<W>) -> BoxFuture<'static, Result<()>>,
) -> Case<W> {
    Case { name, deadline: Duration::from_secs(seconds), run }
}

/// What came of a stage's tests.
#[derive(Debug, Default)]
pub struct Tally {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Their names.
    pub failures: Vec<String>,
}

impl Tally {
    /// Adds the tests of another tally.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
    }

    /// Counts one test.
    pub fn count(&mut self, name: &str, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
            self.failures.push(name.to_owned());
        }
    }
}

impl<W: Send + Sync + 'static> Case<W> {
    /// Runs the test in a task of its own, so that a panic or a hang ends only it.
    pub async fn execute(&self, world: Arc<W>) -> (Result<()>, Duration) {
        let begin = Instant::now();
        let mut task = tokio::spawn((self.run)(world));
        let outcome = match tokio::time::timeout(self.deadline, &mut task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(anyhow!("the test itself broke: {panic}")),
            Err(_) => {
                task.abort();
                Err(anyhow!("not done after {} s", self.deadline.as_secs()))
            }
        };
        (outcome, begin.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hang_and_a_panic_are_failures() {
        let hang: Case<()> = case("hangs", 5, |_| Box::pin(std::future::pending()));
        let (outcome, _) = hang.execute(Arc::new(())).await;
        assert!(outcome.unwrap_err().to_string().contains("after 5 s"));
        let panic: Case<()> = case("panics", 5, |_| Box::pin(async { panic!("on purpose") }));
        assert!(panic.execute(Arc::new(())).await.0.is_err());
    }
}
