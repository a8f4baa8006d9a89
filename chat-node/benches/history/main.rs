//! How fast pages of history are read from a store of a million messages: in channels where much is said, and in quiet
//! ones with long silences, by one, eight and 64 readers at once. Every page is checked.
//!
//! `cargo bench --workspace --bench history -- 1000000`; the number of messages may be left out. On disk, in a file of its
//! own; with `VIBETALK_TEST_MONGODB_URI` also on that server, in a database of its own that is dropped afterwards, with
//! 200,000 messages unless a number is given.
#![allow(missing_docs)]

mod archive;
mod backend;
mod cell;
mod fill;
mod table;
mod view;

use anyhow::{Context, Result};

use crate::archive::Archive;
use crate::backend::Backend;
use crate::cell::Cell;
use crate::table::Row;
use crate::view::View;

const ON_DISK: u64 = 1_000_000;
const ON_SERVER: u64 = 200_000;
const READERS: [usize; 3] = [1, 8, 64];

#[tokio::main]
async fn main() -> Result<()> {
    // An error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Cargo adds arguments of its own.
    let number = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let number = number.map(|text| text.parse().with_context(|| format!("`{text}` is not a number")));
    let number = number.transpose()?;
    let mut rows = measure(Backend::on_disk()?, Archive::of(number.unwrap_or(ON_DISK))?).await?;
    match Backend::on_server() {
        Some(server) => rows.extend(measure(server, Archive::of(number.unwrap_or(ON_SERVER))?).await?),
        None => eprintln!("mongo: left out, set VIBETALK_TEST_MONGODB_URI"),
    }
    print!("{}", table::of(&rows));
    Ok(())
}

async fn measure(backend: Backend, archive: Archive) -> Result<Vec<Row>> {
    let measured = every_cell(&backend, archive).await;
    backend.remove().await?;
    measured
}

/// As it is after a while of reading, and then, for each cell anew, as it is after a restart.
async fn every_cell(backend: &Backend, archive: Archive) -> Result<Vec<Row>> {
    let mut store = backend.open().await?;
    fill::fill(&store, archive, backend.name()).await?;
    let cells = READERS.iter().flat_map(|readers| View::ALL.map(|view| (view, *readers)));
    let cells: Vec<_> = cells.map(|(view, readers)| Cell { archive, view, readers }).collect();
    let mut warm = Vec::new();
    for cell in &cells {
        warm.push(cell.measure(&store).await?);
    }
    let mut rows = Vec::new();
    for (cell, warm) in cells.into_iter().zip(warm) {
        drop(store);
        store = backend.open_cold().await?;
        let cold = cell.measure(&store).await?;
        rows.push(Row { store: backend.name(), cell, warm, cold });
    }
    Ok(rows)
}
