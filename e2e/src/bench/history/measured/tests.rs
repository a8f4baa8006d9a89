use super::*;
use crate::bench::study::Part;
use crate::load::Surroundings;

/// A study of two runs, of which the second one was slower throughout: a silence costs half as much again, and a store on
/// disk is four times as slow right after it was opened.
pub fn sample() -> Study<Measured> {
    let part = |slower: f64| {
        let stores = [Store::Embedded, Store::Mongo].into_iter();
        let rows = stores.flat_map(|store| [1, 64].into_iter().flat_map(move |n| rows(store, n, slower)));
        Part { measured: Measured { rows: rows.collect() }, foreign_percent: 1.0, steal_percent: 0.5 }
    };
    Study { surroundings: Surroundings::default(), parts: vec![part(1.0), part(2.0)] }
}

fn rows(store: Store, readers: u32, slower: f64) -> [Row; 3] {
    let (messages, factor, opened) = match store {
        Store::Embedded => (1_000_000, slower, 4.0),
        Store::Mongo => (200_000, slower * 10.0, 1.0),
    };
    let pages = |factor: f64| {
        let ms = factor * f64::from(readers);
        Pages { pages_per_second: 1_000.0 / factor, p50_ms: ms, p99_ms: 2.0 * ms }
    };
    let kinds = [
        (Pace::Busy, Look::Newest, 1.0),
        (Pace::Quiet, Look::Before, 2.0),
        (Pace::Quiet, Look::OverSilence, 3.0),
    ];
    kinds.map(|(pace, look, costs)| {
        let (warm, cold) = (pages(costs * factor), pages(costs * factor * opened));
        Row { store, messages, pace, look, readers, warm, cold }
    })
}

#[test]
fn what_the_bench_prints_is_understood() {
    let text = r#"{"rows":[{"store":"mongo","messages":200000,"pace":"quiet","look":"overSilence","readers":8,
        "warm":{"pagesPerSecond":900.5,"p50Ms":1.0,"p99Ms":2.0},"cold":{"pagesPerSecond":450.0,"p50Ms":2.0,"p99Ms":4.0}}]}"#;
    let measured: Measured = serde_json::from_str(text).unwrap();
    assert_eq!(measured.rows[0].kind().to_string(), "mongo: quiet, over a silence");
    assert_eq!((measured.rows[0].readers, measured.rows[0].cold.p99_ms), (8, 4.0));
}

#[test]
fn pages_of_one_kind_to_as_many_readers_are_one_figure_over_all_runs() {
    let study = sample();
    assert_eq!((study.kinds().len(), study.readers(), study.runs()), (6, vec![1, 64], 2));
    let kind = study.kinds()[1];
    let figure = study.figure((kind, 64), |row| row.warm.p50_ms).unwrap();
    assert_eq!(figure.to_string(), "192 (128–256)");
    assert_eq!(study.figure((kind, 8), |row| row.warm.p50_ms), None);
}
