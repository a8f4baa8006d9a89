//! How fast pages of history are read from a store of a million messages: in channels where much is said, and in quiet
//! ones with long silences, by one, eight and 64 readers at once. Every page is checked.
//!
//! `cargo bench --workspace --bench history -- 1000000`; the number of messages may be left out, or be in
//! `VT_BENCH_MESSAGES`. On disk, in a file of its own; with `VIBETALK_TEST_MONGODB_URI` also on that server, in a database of
//! its own that is dropped afterwards, with 200,000 messages unless a number is given. The results are one JSON document on
//! standard output; `cargo e2e bench history` starts the server too, and makes tables of them.
#![allow(missing_docs)]

mod archive;
mod backend;
mod cell;
mod fill;
mod view;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::archive::Archive;
use crate::backend::Backend;
use crate::cell::{Cell, Figures};
use crate::view::View;

const ON_DISK: u64 = 1_000_000;
const ON_SERVER: u64 = 200_000;
const READERS: [usize; 3] = [1, 8, 64];

/// The results.
#[derive(Serialize)]
struct Measured {
    rows: Vec<Row>,
}

/// Pages of one kind, read by several at once.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    store: &'static str,
    /// How many the store holds.
    messages: u64,
    #[serde(flatten)]
    view: View,
    readers: usize,
    warm: Figures,
    /// Right after it was opened.
    cold: Figures,
}

#[tokio::main]
async fn main() -> Result<()> {
    // An error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let number = number()?;
    let mut rows = measure(Backend::on_disk()?, Archive::of(number.unwrap_or(ON_DISK))?).await?;
    match Backend::on_server() {
        Some(server) => rows.extend(measure(server, Archive::of(number.unwrap_or(ON_SERVER))?).await?),
        None => eprintln!("mongo: left out, set VIBETALK_TEST_MONGODB_URI"),
    }
    println!("{}", serde_json::to_string(&Measured { rows })?);
    Ok(())
}

/// How many messages there shall be, if it is said.
fn number() -> Result<Option<u64>> {
    // Cargo adds arguments of its own.
    let argument = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let text = argument.or_else(|| std::env::var("VT_BENCH_MESSAGES").ok());
    text.map(|text| text.parse().with_context(|| format!("`{text}` is not a number"))).transpose()
}

async fn measure(backend: Backend, archive: Archive) -> Result<Vec<Row>> {
    let measured = every_cell(&backend, archive).await;
    backend.remove().await?;
    measured
}

/// As it is after a while of reading, and then, for each cell anew, as it is after a restart.
async fn every_cell(backend: &Backend, archive: Archive) -> Result<Vec<Row>> {
    let (name, messages) = (backend.name(), archive.messages());
    let mut store = backend.open().await?;
    fill::fill(&store, archive, name).await?;
    let cells = READERS.iter().flat_map(|readers| View::ALL.map(|view| (view, *readers)));
    let cells: Vec<_> = cells.map(|(view, readers)| Cell { archive, view, readers }).collect();
    eprintln!("{name}: pages of {} kinds", cells.len());
    let mut warm = Vec::new();
    for cell in &cells {
        warm.push(cell.measure(&store).await?);
    }
    eprintln!("{name}: the same, each right after the store was opened");
    let mut rows = Vec::new();
    for (cell, warm) in cells.into_iter().zip(warm) {
        drop(store);
        store = backend.open_cold().await?;
        let Cell { view, readers, .. } = cell;
        let cold = cell.measure(&store).await?;
        rows.push(Row { store: name, messages, view, readers, warm, cold });
    }
    Ok(rows)
}
