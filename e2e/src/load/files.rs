//! How many connections this process may have, and what it starts.

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Beside the connections.
const OTHERS: u64 = 500;

/// Lets this process, and what it starts, have so many connections.
pub fn allow(connections: u32) -> Result<()> {
    let wanted = u64::from(connections) + OTHERS;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the limit of open files")?;
    if soft >= wanted {
        return Ok(());
    }
    // Beyond the hard limit only root may go; whoever may not gets as far as it goes.
    if setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).is_err() {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("cannot raise the limit of open files")?;
    }
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(
        soft >= wanted,
        "{connections} connections need {wanted} open files, and this process may have {soft}: raise the limit by \
         `ulimit -Hn {wanted}` as root, or run fewer users with `--users {}`",
        soft.saturating_sub(OTHERS)
    );
    Ok(())
}
