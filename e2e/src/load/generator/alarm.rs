//! Wakes at a point in time to some ten microseconds; the runtime's own timer knows whole milliseconds only, which would
//! show in what is measured.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::sync::Notify;

/// A thread that sleeps, as exactly as the kernel can. Ends when this is dropped.
#[derive(Debug)]
pub struct Alarm {
    wanted: Sender<Instant>,
    reached: Arc<Notify>,
}

impl Alarm {
    /// An alarm that is not set.
    pub fn new() -> Result<Self> {
        let (wanted, orders) = mpsc::channel();
        let reached = Arc::new(Notify::new());
        let alarm = Self { wanted, reached: reached.clone() };
        let work = move || sleep(&orders, &reached);
        std::thread::Builder::new().name("alarm".to_owned()).spawn(work).context("no thread is left")?;
        Ok(alarm)
    }

    /// Back at this time, or at once if it has passed.
    pub async fn until(&self, at: Instant) -> Result<()> {
        while Instant::now() < at {
            self.wanted.send(at).context("the alarm broke")?;
            self.reached.notified().await;
        }
        Ok(())
    }
}

fn sleep(orders: &Receiver<Instant>, reached: &Notify) {
    while let Ok(at) = orders.recv() {
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        reached.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_never_wakes_early_and_the_past_is_at_once() {
        let alarm = Alarm::new().unwrap();
        for wait in [1, 300, 2_500] {
            let at = Instant::now() + Duration::from_micros(wait);
            alarm.until(at).await.unwrap();
            assert!(Instant::now() >= at);
        }
        alarm.until(Instant::now()).await.unwrap();
    }
}
