//! What the product does while nodes of a broker cluster, the store and chat nodes die, hang and come back.

mod parts;
mod story;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use futures::FutureExt;
use futures::future::{LocalBoxFuture, join_all};
use tokio::signal::unix::{SignalKind, signal};

use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::site;

/// Where the tests run.
#[derive(Debug)]
pub struct Ground {
    /// Where things are kept.
    pub paths: Paths,
    /// Who hears what is done.
    pub progress: Progress,
    _lock: Lock,
}

/// A test that has a site of its own, so that all of them can run at the same time.
pub struct Trial {
    /// What holds if it passes.
    pub name: &'static str,
    run: fn(Arc<Ground>) -> LocalBoxFuture<'static, Result<()>>,
}

/// The tests.
pub const TRIALS: [Trial; 2] = [
    Trial {
        name: "bus and store go through dead, hung and blocked brokers and stores",
        run: |ground| Box::pin(parts::go_through(ground)),
    },
    Trial {
        name: "whatever dies or hangs, every client gets every message once and in order",
        run: |ground| Box::pin(story::tell(ground)),
    },
];

/// Each takes minutes, as faults take their time; one of them compiles before.
const DEADLINE: Duration = Duration::from_secs(30 * 60);

impl Trial {
    /// Runs it; a panic or a hang is a failure.
    async fn execute(&self, ground: Arc<Ground>) -> (Result<()>, Duration) {
        let (begin, progress) = (Instant::now(), ground.progress);
        let trial = AssertUnwindSafe((self.run)(ground)).catch_unwind();
        let outcome = match tokio::time::timeout(DEADLINE, trial).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(anyhow!("the test itself broke")),
            Err(_) => Err(anyhow!("not done after {} s", DEADLINE.as_secs())),
        };
        // The other one may take minutes more.
        if let Err(error) = &outcome {
            progress.say(format_args!("{} ... FAILED: {error:#}", self.name));
        }
        (outcome, begin.elapsed())
    }
}

impl Ground {
    /// Makes what the tests' sites are built from. Nobody else may build or change anything meanwhile.
    pub async fn take(paths: &Paths, progress: &Progress) -> Result<Self> {
        let lock = Lock::take(paths)?;
        site::prepare(paths, progress).await?;
        Ok(Self { paths: paths.clone(), progress: *progress, _lock: lock })
    }

    /// Runs these tests at the same time. Whatever comes of them, also when the user interrupts them, everything that
    /// they started is ended; the logs stay if one has failed.
    pub async fn run(self: &Arc<Self>, trials: &[&Trial]) -> Vec<(Result<()>, Duration)> {
        let all = join_all(trials.iter().map(|trial| trial.execute(self.clone())));
        let mut outcomes = tokio::select! {
            outcomes = all => outcomes,
            _ = interrupted() => trials.iter().map(|_| (Err(anyhow!("interrupted")), Duration::ZERO)).collect(),
        };
        let failed = outcomes.iter().any(|(outcome, _)| outcome.is_err());
        let ended = site::end_all(&self.paths, failed).await;
        if let (Err(error), Some((outcome, _))) = (ended, outcomes.first_mut()) {
            *outcome = Err(error);
        }
        if failed {
            let logs = self.paths.state.join("site-*/log");
            self.progress.say(format_args!("the logs of what was harmed: {}", logs.display()));
        }
        outcomes
    }
}

/// Until the user or the system wants this program to end.
async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupt = tokio::signal::ctrl_c() => Ok(interrupt?),
    }
}
