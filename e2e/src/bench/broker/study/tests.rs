use super::*;
use crate::bench::study::Part;
use crate::load::Surroundings;

/// A study in which quorum queues cost twice as much as classic ones, and miss nothing.
pub fn sample() -> Study {
    let part = |brokers: u8| {
        let queues = [QueueType::Classic, QueueType::Quorum];
        let cells = queues.into_iter().flat_map(|queue| {
            let routings = [RoutingMode::User, RoutingMode::Channel, RoutingMode::Static];
            routings.map(|routing| cell((brokers, queue), routing))
        });
        let measured = Measured { brokers, version: Some("4.3.0".to_owned()), cells: cells.collect() };
        Part { measured, foreign_percent: 1.0, steal_percent: 0.5 }
    };
    Study { surroundings: Surroundings::default(), parts: vec![part(1), part(3)] }
}

fn cell((brokers, queue): (u8, QueueType), routing: RoutingMode) -> Cell {
    let is_classic = queue == QueueType::Classic;
    let factor = f64::from(brokers) * if is_classic { 1.0 } else { 2.0 };
    let (direct, group) = match routing {
        RoutingMode::User => (2.0, 10.0),
        RoutingMode::Channel => (1.5, 2.9),
        RoutingMode::Static => (3.0, 3.0),
    };
    let talk = |copies: f64| Talk {
        p50_ms: factor,
        p99_ms: 2.0 * factor,
        copies,
        broker_us: Some(100.0 * copies * factor),
        missed: 0,
        most_per_second: 30_000.0 / copies / factor,
        most_broker_us: Some(50.0 * copies * factor),
    };
    let bindings = if routing == RoutingMode::Static { 4 } else { 10_000 };
    let took = if bindings > 4 { 400.0 } else { 9_000.0 };
    let missed = if is_classic { 600 } else { 0 };
    Cell {
        queue,
        routing,
        binding: (bindings > 4).then_some(Binding { count: 10_000, per_second: 5_000.0 / factor }),
        deletion: Deletion { bindings, took_ms: took, before_ms: 5.0, longest_ms: 20.0, missed: 0 },
        direct: talk(direct),
        group: talk(group),
        kill: (brokers > 1).then_some(Kill {
            dark_s: 2.5,
            longest_ms: 340.0,
            due: 3_000,
            missed,
            unnoticed: 0,
        }),
    }
}

#[test]
fn what_the_bench_prints_is_understood() {
    let text = r#"{"brokers":1,"version":null,"cells":[{"queue":"Classic","routing":"Static","binding":null,
        "deletion":{"bindings":4,"tookMs":1.5,"beforeMs":1.0,"longestMs":2.0,"missed":0},
        "direct":{"p50Ms":1.0,"p99Ms":2.0,"copies":3.0,"brokerUs":null,"missed":0,"mostPerSecond":9.0,"mostBrokerUs":null},
        "group":{"p50Ms":1.0,"p99Ms":2.0,"copies":3.0,"brokerUs":80.0,"missed":1,"mostPerSecond":9.0,"mostBrokerUs":null},
        "kill":{"darkS":0.5,"longestMs":3.0,"due":10,"missed":2,"unnoticed":0}}]}"#;
    let measured: Measured = serde_json::from_str(text).unwrap();
    assert_eq!((measured.cells[0].routing, measured.cells[0].group.missed), (RoutingMode::Static, 1));
}

#[test]
fn runs_of_the_same_combination_are_one_figure() {
    let mut study = sample();
    let mut slow = study.parts.clone();
    slow.iter_mut().flat_map(|part| &mut part.measured.cells).for_each(|cell| cell.group.p99_ms *= 2.0);
    study.parts.extend(slow);
    assert_eq!((study.keys().len(), study.runs()), (12, 2));
    let figure = study.figure(study.keys()[0], |cell| Some(cell.group.p99_ms)).unwrap();
    assert_eq!(figure.to_string(), "3.00 (2.00–4.00)");
    assert_eq!(study.figure(study.keys()[0], |cell| cell.kill.map(|kill| kill.dark_s)), None);
}
