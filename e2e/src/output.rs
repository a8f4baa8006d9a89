//! Standard output, whose reader may leave early, as in `cargo e2e status | head`.

use std::io::{self, Write};

use anyhow::{Context, Result};

/// Prints a text.
pub fn print(text: &str) -> Result<()> {
    ignore_leaving(io::stdout().lock().write_all(text.as_bytes()))
}

/// A reader that has seen enough is no error.
pub fn ignore_leaving(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot print"),
        _ => Ok(()),
    }
}
