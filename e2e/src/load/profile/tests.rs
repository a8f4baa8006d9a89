use super::*;

const SMALL: &str =
    "{description: small, users: 100, groups: {count: 5, size: 20, messagesPerSecond: 10}, duration: 10s}";

fn error(text: &str) -> String {
    format!("{:#}", Profile::parse(text).unwrap_err())
}

#[test]
fn what_is_absent_has_its_usual_value() {
    let profile = Profile::parse(SMALL).unwrap();
    assert_eq!((profile.groups.channels, profile.content_bytes), (1, 200));
    assert_eq!(profile.traffic(), Duration::from_secs(10));
    assert_eq!(profile.connect, Connect::default());
}

#[test]
fn an_error_names_the_field() {
    let unknown = SMALL.replace("size", "sice");
    assert!(
        error(&unknown).contains("`groups.sice`") || error(&unknown).contains("sice"),
        "{}",
        error(&unknown)
    );
    let text = SMALL.replace("size: 20", "size: many");
    assert!(error(&text).contains("`groups.size`"), "{}", error(&text));
    let duration = SMALL.replace("10s", "ten");
    assert!(error(&duration).contains("`duration`"), "{}", error(&duration));
}

#[test]
fn what_cannot_be_done_is_refused() {
    for (from, to, name) in [
        ("users: 100", "users: 0", "`users`"),
        ("size: 20", "size: 101", "`groups.size`"),
        ("count: 5", "count: 5000", "`groups.count`"),
        ("count: 5", "count: 0", "`groups.messagesPerSecond`"),
        ("duration: 10s", "direct: {pairs: 5000, messagesPerSecond: 1}", "`direct.pairs`"),
        ("duration: 10s", "slow: {percent: 101}", "`slow.percent`"),
        ("duration: 10s", "events: [{at: 1s}]", "`events`"),
        ("duration: 10s", "events: [{at: 1s, fault: killNode, cutPercent: 1}]", "`events`"),
        ("duration: 10s", "events: [{at: 1s, cutPercent: 101}]", "`events.cutPercent`"),
        ("duration: 10s", "events: [{at: 1s, fault: killNode, partitions: 8}]", "`events`"),
        ("duration: 10s", "events: [{at: 1s, partitions: 257}]", "`events.partitions`"),
        ("duration: 10s", "events: [{at: 1s, fault: killNode, stepClock: 1h}]", "`events`"),
        ("duration: 10s", "events: [{at: 1s, stepClock: -13h}]", "`events[0].stepClock`"),
        ("duration: 10s", "events: [{at: 1s, stepClock: 3600}]", "`events[0].stepClock`"),
        ("duration: 10s", "typingPerSecond: -1", "`typingPerSecond`"),
    ] {
        let text = SMALL.replace(from, to);
        assert!(error(&text).contains(name), "{to}: {}", error(&text));
    }
}

#[test]
fn deeds_come_in_their_order_and_faults_last_as_long_as_asked_for() {
    let events = "events: [{at: 9s, fault: killBroker, for: 10s}, {at: 3s, cutPercent: 5}, {at: 6s, partitions: 8}, \
                  {at: 4s, fault: killNode}, {at: 7s, stepClock: -1h, for: 20s}]";
    let profile = Profile::parse(&SMALL.replace("duration: 10s", events)).unwrap();
    let seconds = Duration::from_secs;
    let wanted = [
        (seconds(4), Deed::Harm(Fault::KillNode, FAULT_LASTS)),
        (seconds(6), Deed::Repartition(8)),
        (seconds(7), Deed::StepClock("-1h".parse().unwrap(), seconds(20))),
        (seconds(9), Deed::Harm(Fault::KillBroker, seconds(10))),
    ];
    assert_eq!(profile.deeds(), wanted);
}

#[test]
fn every_profile_of_the_work_tree_is_right() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let names = names(&directory).unwrap();
    assert!(names.contains(&"fan-out".to_owned()), "{names:?}");
    for name in names {
        Profile::find(&directory, &name).unwrap();
    }
}

#[test]
fn a_name_that_is_none_is_answered_with_those_that_are() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let error = Profile::find(&directory, "fanout").unwrap_err().to_string();
    assert!(error.contains("fan-out"), "{error}");
}
