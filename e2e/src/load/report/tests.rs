use super::*;
use crate::load::meter::RoleUsage;
use crate::load::oracle::Kind;

/// A report of a small run.
pub fn sample() -> Report {
    let role = RoleUsage { cpu_s: 1.5, cpu_percent: 75.0, resident_before_kib: 10_240, resident_kib: 51_200 };
    let roles = BTreeMap::from([(Role::Server, role), (Role::Generator, role)]);
    let usage = Usage { seconds: 2.0, roles, foreign_percent: 1.0, steal_percent: 0.5 };
    let times = Quantiles { count: 10, p50: 1.25, p90: 2.0, p99: 3.0, p999: 4.0, max: 5.0 };
    Report {
        name: "fan-out".to_owned(),
        target: "node".to_owned(),
        began: "2026-01-01T00:00:00Z".to_owned(),
        profile: Profile::parse("{description: all, users: 100, duration: 10s}").unwrap(),
        surroundings: Surroundings::default(),
        verdict: Verdict::default(),
        void: Vec::new(),
        connecting: Connecting {
            seconds: 2.0,
            per_second: 50.0,
            sign_in: times,
            server_kib_per_user: Some(4.5),
            server_us_per_user: None,
            generator_kib_per_user: 1.0,
            usage: usage.clone(),
        },
        traffic: Some(Traffic {
            seconds: 10.0,
            sends_per_second: 10.0,
            deliveries_per_second: 1_000.0,
            ack: times,
            delivery: times,
            talk: [Talk::Official, Talk::Group].map(|talk| (talk, times)).into(),
            median_second: Some(MedianSecond { p50: 1.0, p99: 2.0 }),
            last_reader: times,
            lateness: times,
            server_us_per_delivery: Some(7.5),
            usage,
        }),
        come_back: Quantiles::default(),
        counts: Counts::default(),
        compared: Compared { channels: 1, messages: 100 },
    }
}

#[test]
fn what_is_written_is_read_again() {
    let mut report = sample();
    report.verdict.add(Kind::Missing, || "x".to_owned());
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn people_see_times_processes_and_the_verdict() {
    let text = sample().to_string();
    for part in [
        "| due → delivered | 10 | 1.25 | 2.00 | 3.00 | 4.00 | 5.00 |",
        "| Server | 1.50 | 1.50 | 75 | 50 |",
        "| server CPU for each delivery | 7.50 µs |",
        "nothing lost",
        "100 messages in 1 channels",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("VOID") && !text.contains("back |"), "{text}");
}

#[test]
fn a_run_that_others_disturbed_is_void_and_says_so() {
    let void = troubles("then", (25.0, 6.0));
    assert_eq!(void.len(), 2);
    assert!(Report { void, ..sample() }.to_string().contains("VOID"));
    assert!(troubles("then", (9.0, 0.0)).is_empty());
}

#[test]
fn a_generator_may_be_late_by_a_small_part_of_what_it_measures() {
    let mut traffic = sample().traffic.unwrap();
    traffic.lateness.p99 = 60.0;
    traffic.delivery.p99 = 500.0;
    assert!(lateness(&traffic).unwrap().contains("60 ms late"));
    traffic.delivery.p99 = 5_000.0;
    assert_eq!(lateness(&traffic), None);
    traffic.lateness.p99 = 40.0;
    traffic.delivery.p99 = 10.0;
    assert_eq!(lateness(&traffic), None);
}
