//! Waits for what becomes true without telling.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::{Instant, sleep, timeout_at};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(250);

/// Looks again and again until the look succeeds. The error says what was waited for and what the last look said.
pub async fn eventually<T, F, L>(what: &str, patience: Duration, mut look: F) -> Result<T>
where
    F: FnMut() -> L,
    L: Future<Output = Result<T>>,
{
    let deadline = Instant::now() + patience;
    let mut last = anyhow!("no look was finished");
    loop {
        match timeout_at(deadline, look()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => last = error,
            Err(_) => break,
        }
        if Instant::now() + INTERVAL >= deadline {
            break;
        }
        sleep(INTERVAL).await;
    }
    Err(last.context(format!("not within {} s: {what}", patience.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_success_counts() {
        let mut looks = 0;
        let found = eventually("three", Duration::from_secs(10), || {
            looks += 1;
            let look = looks;
            async move { if look < 3 { Err(anyhow!("{look}")) } else { Ok(look) } }
        });
        assert_eq!(found.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn the_error_has_the_wish_and_the_last_look() {
        let never = eventually("pigs fly", Duration::from_millis(300), || async {
            Err::<(), _>(anyhow!("they walk"))
        });
        let error = format!("{:#}", never.await.unwrap_err());
        assert!(error.contains("pigs fly") && error.contains("they walk"), "{error}");
    }
}
