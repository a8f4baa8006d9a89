//! Changes that others may overtake: each is written over the revision that it was decided on, and decided anew if there
//! is another one by then.

use std::future::Future;
use std::time::Duration;

use super::super::problem_of;
use crate::error::{ErrorCode, Problem};
use crate::store::{StoreError, Written};

/// How often a change is decided anew.
const ATTEMPTS: u32 = 6;
/// Before the second try, times its number, before the jitter of half.
const BACKOFF: Duration = Duration::from_millis(20);

/// Runs a change until it is not overtaken; `None`: it always is.
pub(super) async fn attempts<T, E, F>(attempt: impl Fn() -> F) -> Result<Option<T>, E>
where
    F: Future<Output = Result<Option<T>, E>>,
{
    for number in 0..ATTEMPTS {
        tokio::time::sleep(BACKOFF.mul_f64(f64::from(number) * (0.5 + fastrand::f64() / 2.0))).await;
        if let Some(done) = attempt().await? {
            return Ok(Some(done));
        }
    }
    Ok(None)
}

/// The same for who asked for it.
pub(super) async fn decided<T, F>(attempt: impl Fn() -> F) -> Result<T, Problem>
where
    F: Future<Output = Result<Option<T>, Problem>>,
{
    let overtaken = || {
        let message = "others keep changing the same just now; try again";
        Problem::retry(ErrorCode::Unavailable, message, Duration::from_secs(1))
    };
    attempts(attempt).await?.ok_or_else(overtaken)
}

/// `value`, if a write has not been overtaken.
pub(super) fn unless_overtaken<T>(
    written: Result<Written, StoreError>,
    value: T,
) -> Result<Option<T>, Problem> {
    match written {
        Ok(Written::Yes) => Ok(Some(value)),
        Ok(Written::Overtaken) => Ok(None),
        Err(error) => Err(problem_of(&error)),
    }
}
