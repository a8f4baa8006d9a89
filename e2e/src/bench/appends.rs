//! Messages that one hot channel takes, from several chat nodes at once.

mod table;

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::chart;
use super::figure::Figure;
use super::store::{self, Store};
use super::study::{Study, Subject};
use crate::paths::Paths;
use crate::progress::Progress;

/// How often it is run if nothing is said.
pub const RUNS: u32 = 3;
/// Both stores take a minute.
const MEASURED_WITHIN: Duration = Duration::from_secs(10 * 60);

/// What `chat-node/benches/appends` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Appends {
    /// Each store with each number of nodes and messages at a time.
    pub rows: Vec<Row>,
}

/// Several chat nodes append to one channel at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    /// Where the messages go.
    pub store: Store,
    /// How many nodes.
    pub nodes: u32,
    /// Messages that a node appends at a time.
    pub batch: u32,
    /// Of all nodes together.
    pub messages_per_second: f64,
    /// Half of the appends stayed below, in ms.
    pub p50_ms: f64,
    /// Nearly all of them stayed below, in ms.
    pub p99_ms: f64,
}

/// What rows are known by.
type Key = (Store, u32, u32);

/// Measures both stores, so many times.
pub async fn run(paths: &Paths, progress: &Progress, runs: u32) -> Result<Study<Appends>> {
    store::measure((paths, progress), runs, MEASURED_WITHIN).await
}

impl Row {
    fn key(&self) -> Key {
        (self.store, self.batch, self.nodes)
    }
}

impl Study<Appends> {
    /// Each kind of row once, in the order in which they were measured.
    fn keys(&self) -> Vec<Key> {
        let mut keys = Vec::new();
        for key in self.rows().map(Row::key) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    fn figure(&self, key: Key, of: impl Fn(&Row) -> f64) -> Option<Figure> {
        Figure::of(self.rows().filter(|row| row.key() == key).map(of))
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.parts.iter().flat_map(|part| &part.measured.rows)
    }
}

impl Subject for Appends {
    const NAME: &'static str = "appends";
    const METHOD: &'static str = table::METHOD;
    const CAPTION: &'static str = "Messages a second that one channel takes";

    fn text(study: &Study<Self>) -> String {
        table::text(study)
    }

    fn chart(study: &Study<Self>) -> String {
        let row = |(store, batch, nodes): Key| {
            let figure = study.figure((store, batch, nodes), |row| row.messages_per_second)?;
            Some((format!("{store}: nodes {nodes}, at a time {batch}"), figure))
        };
        let rows: Vec<_> = study.keys().into_iter().filter_map(row).collect();
        chart::bars("appends: messages a second to one channel", &rows)
    }
}

#[cfg(test)]
pub use tests::sample;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::study::{Part, Shown};
    use crate::load::Surroundings;

    /// Two runs, of which the second one was twice as fast.
    pub fn sample() -> Study<Appends> {
        let row = |store, (batch, nodes): (u32, u32), factor: f64| Row {
            store,
            nodes,
            batch,
            messages_per_second: f64::from(100 * batch) * factor,
            p50_ms: 4.0 / factor,
            p99_ms: 9.0 / factor,
        };
        let part = |factor: f64| {
            let rows = [Store::Embedded, Store::Mongo]
                .into_iter()
                .flat_map(|store| [(1, 1), (64, 10)].map(|size| row(store, size, factor)));
            Part { measured: Appends { rows: rows.collect() }, foreign_percent: 1.0, steal_percent: 0.5 }
        };
        Study { surroundings: Surroundings::default(), parts: vec![part(1.0), part(2.0)] }
    }

    #[test]
    fn what_the_bench_prints_is_understood() {
        let text = r#"{"rows":[{"store":"mongo","nodes":3,"batch":64,"messagesPerSecond":2047.5,"p50Ms":80.0,"p99Ms":120.0}]}"#;
        let Appends { rows } = serde_json::from_str(text).unwrap();
        assert_eq!(rows[0].key(), (Store::Mongo, 64, 3));
    }

    #[test]
    fn the_page_has_the_table_and_the_chart() {
        let text = sample().section();
        for part in ["\n## appends\n", "| store | at a time | nodes |", "(benchmarks/appends.svg)"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(Appends::chart(&sample()).matches("<rect x=").count(), 4);
    }
}
