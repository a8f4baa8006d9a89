//! A change of the partitions, step by step, and in every order in which things can happen.

mod model;

use crds::{TopologyOrder, TopologyPlan, TopologyStep};
use jiff::SignedDuration;
use proptest::prelude::*;

use self::model::{Event, Model};
use crate::decide::tests::rules::does;
use crate::fixture::{self, World};
use crate::observe::{PodState, Seen};
use crate::plan::Plan;
use crate::resources::Kind;

/// A world of two chat nodes and one partition, in which two were just asked for.
fn changing() -> World {
    let mut world = World::converged(fixture::cluster(|spec| spec["rabbitmq"]["partitions"] = 1.into()));
    wish(&mut world, 2);
    world
}

fn wish(world: &mut World, partitions: u16) {
    world.cluster.spec.as_mut().unwrap().rabbitmq.partitions = partitions;
}

fn step(plan: &Plan) -> Option<TopologyStep> {
    plan.status.topology.unwrap().step
}

fn order(world: &World) -> TopologyOrder {
    let settings = world.observed.children.get(Kind::ConfigMap).unwrap();
    crate::resources::order_of(settings).unwrap()
}

fn report(pod: &mut PodState) -> &mut crds::NodeReport {
    match &mut pod.report {
        Seen::Known(report) => report,
        Seen::Unknown(why) => panic!("{why}"),
    }
}

#[test]
fn a_change_goes_through_its_steps_and_leaves_nothing_behind() {
    let mut world = changing();
    let expected: [(_, &[&str]); 6] = [
        (Some(TopologyStep::Declaring), &["apply ConfigMap", "tell Repartitioning"]),
        (
            Some(TopologyStep::Declaring),
            &["declare direct vt.chat.demo.2.0", "declare direct vt.chat.demo.2.1"],
        ),
        (Some(TopologyStep::Binding), &["order pod-001 [1, 2] 1", "order pod-002 [1, 2] 1"]),
        (
            Some(TopologyStep::Switching),
            &["apply ConfigMap", "order pod-001 [1, 2] 2", "order pod-002 [1, 2] 2"],
        ),
        (Some(TopologyStep::Draining), &["apply ConfigMap", "order pod-001 [2] 2", "order pod-002 [2] 2"]),
        (
            Some(TopologyStep::Deleting),
            &["order pod-001 [2] 2", "order pod-002 [2] 2", "retire vt.chat.demo.1.0"],
        ),
    ];
    for (expected_step, deeds) in expected {
        let plan = world.step();
        assert_eq!(
            (step(&plan), does(&plan)),
            (expected_step, deeds.iter().map(|deed| (*deed).into()).collect())
        );
        let (status, reason, _) = World::condition(&plan, "Progressing");
        assert_eq!((status.as_str(), reason.as_str()), ("True", "Repartitioning"));
        assert_eq!(World::condition(&plan, "TopologyInSync").1, "Repartitioning");
        assert_eq!(World::condition(&plan, "Ready").0, "True", "users chat meanwhile");
    }
    let plan = world.step();
    assert_eq!((step(&plan), does(&plan)), (None, vec!["tell Repartitioned".to_owned()]));
    let topology = plan.status.topology.unwrap();
    assert_eq!((topology.epoch, topology.partitions, topology.target), (2, 2, None));
    assert!(world.plan().is_empty());
}

#[test]
fn a_silent_chat_node_stalls_the_change_and_is_named() {
    let mut world = changing();
    world.step();
    world.step();
    world.pod("pod-002").report = Seen::Unknown("no answer from the admin port".to_owned());
    for _ in 0..3 {
        let plan = world.step();
        assert_eq!(step(&plan), Some(TopologyStep::Binding));
        let (status, reason, message) = World::condition(&plan, "TopologyInSync");
        assert_eq!((status.as_str(), reason.as_str()), ("False", "NodeUnreachable"));
        assert!(
            message.contains("waiting for chat node pod-002: no answer from the admin port"),
            "{message}"
        );
        assert_eq!(World::condition(&plan, "Ready").0, "True");
    }
}

#[test]
fn a_chat_node_on_a_lost_machine_or_without_a_running_container_is_not_waited_for() {
    for excuse in [
        (|pod, now| pod.ends_by = Some(now - SignedDuration::from_secs(11))) as fn(&mut PodState, _),
        |pod, _| pod.runs = false,
    ] {
        let mut world = changing();
        world.step();
        world.step();
        let now = world.now;
        let pod = world.pod("pod-002");
        pod.report = Seen::Unknown("no answer".to_owned());
        excuse(pod, now);
        world.step();
        assert_eq!(step(&world.plan()), Some(TopologyStep::Switching));
    }
}

#[test]
fn a_change_that_is_given_up_in_its_middle_goes_back() {
    let mut world = changing();
    for _ in 0..4 {
        world.step();
    }
    assert_eq!(report(world.pod("pod-001")).publishing, Some(2));
    wish(&mut world, 1);
    assert_eq!(does(&world.step()), ["apply ConfigMap", "order pod-001 [1, 2] 1", "order pod-002 [1, 2] 1"]);
    // Something is still on its way to the new epoch.
    report(world.pod("pod-001")).publishing = None;
    assert_eq!(does(&world.plan()), ["order pod-001 [1, 2] 1"]);
    let (_, _, message) = World::condition(&world.plan(), "TopologyInSync");
    assert!(message.contains("going back to 1 partitions by Channel (epoch 1): Switching"), "{message}");
    report(world.pod("pod-001")).publishing = Some(1);
    assert_eq!(does(&world.step()), ["apply ConfigMap", "order pod-001 [1] 1", "order pod-002 [1] 1"]);
    assert_eq!(does(&world.step())[2..], ["retire vt.chat.demo.2.0", "retire vt.chat.demo.2.1"]);
    world.step();
    assert!(world.plan().is_empty());
    assert_eq!(world.cluster.status.topology.unwrap().epoch, 1);
}

#[test]
fn a_chat_node_that_has_not_heard_that_a_change_was_given_up_can_follow_the_next_change() {
    let mut world = changing();
    world.step();
    world.step();
    let heard = order(&world);
    wish(&mut world, 1);
    world.step();
    // Somebody takes the exchanges away, and with them all that shows that there was an epoch 2.
    world.exchanges().retain(|exchange| !exchange.name.starts_with("vt.chat.demo.2."));
    wish(&mut world, 3);
    world.step();
    let next = order(&world);
    assert_eq!((heard.listen.len(), next.listen.len()), (2, 2));
    assert_eq!(next.check_after(&heard), Ok(heard.listen[0]));
}

#[test]
fn a_new_epoch_of_another_type_stops_the_change_and_nothing_else() {
    let mut world = changing();
    world.step();
    world.step();
    let foreign = world.exchanges().iter_mut().find(|exchange| exchange.name == "vt.chat.demo.2.1").unwrap();
    foreign.kind = "topic".to_owned();
    let plan = world.step();
    assert_eq!(does(&plan), [""; 0]);
    let (_, reason, message) = World::condition(&plan, "TopologyInSync");
    assert_eq!(reason, "Repartitioning");
    assert!(
        message.contains("vt.chat.demo.2.1: type is topic, not direct; delete it in the broker"),
        "{message}"
    );
    assert_eq!(World::condition(&plan, "Ready").0, "True");
}

#[test]
fn a_partition_that_somebody_else_has_made_is_named_and_stays() {
    let mut world = changing();
    wish(&mut world, 1);
    let mut foreign = world.exchanges()[0].clone();
    (foreign.name, foreign.kind) = ("vt.chat.demo.7.0".to_owned(), "topic".to_owned());
    world.exchanges().push(foreign);
    let plan = world.step();
    assert_eq!(does(&plan), [""; 0]);
    let (_, reason, message) = World::condition(&plan, "TopologyInSync");
    assert_eq!(reason, "ExchangeLeft");
    assert!(message.contains("nobody needs exchange vt.chat.demo.7.0"), "{message}");
}

#[test]
fn an_order_that_somebody_took_away_comes_back_in_the_middle_of_a_change() {
    for (steps, publish) in [(0, 1), (3, 1), (4, 2)] {
        let mut world = changing();
        wish(&mut world, if steps == 0 { 1 } else { 2 });
        for _ in 0..steps {
            world.step();
        }
        let before = order(&world);
        world.observed.children.0.insert(Kind::ConfigMap, Seen::Known(None));
        world.step();
        assert_eq!(order(&world), before);
        assert_eq!(before.publish, publish);
    }
}

#[test]
fn a_serving_chat_node_that_does_not_listen_is_named() {
    let mut world = changing();
    wish(&mut world, 1);
    report(world.pod("pod-002")).epochs.clear();
    let (status, reason, message) = World::condition(&world.plan(), "TopologyInSync");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "NodesNotBound"));
    assert!(message.contains("pod-002 does not listen to epoch 1"), "{message}");
}

#[test]
fn what_was_left_by_an_earlier_life_is_used_or_deleted() {
    let plan = |epoch, partitions| TopologyPlan { epoch, partitions, routing: crds::RoutingMode::default() };
    let mut world = World::new(fixture::cluster(|spec| spec["rabbitmq"]["partitions"] = 1.into()));
    let key = world.cluster.key();
    let earlier = TopologyOrder { listen: vec![plan(3, 2)], publish: 3 };
    *world.exchanges() = super::exchanges::wanted(&key, &earlier);
    for _ in 0..5 {
        world.step();
    }
    let names: Vec<_> = world.exchanges().iter().map(|exchange| exchange.name.clone()).collect();
    assert_eq!(names, ["vt.chat.demo.3.0", "vt.chat.demo.control"]);
    assert!(world.plan().is_empty());
}

fn event() -> impl Strategy<Value = Event> {
    let nth = 0_usize..4;
    prop_oneof![
        20 => Just(Event::Operate),
        2 => Just(Event::Crash),
        14 => nth.clone().prop_map(Event::Progress),
        8 => nth.clone().prop_map(Event::Publish),
        8 => nth.clone().prop_map(Event::Confirm),
        1 => nth.clone().prop_map(Event::Disconnect),
        1 => nth.clone().prop_map(Event::Toggle),
        2 => Just(Event::Boot),
        1 => nth.prop_map(Event::End),
        1 => (0_u16..12).prop_map(Event::Wish),
    ]
}

/// The same with hands that take exchanges away.
fn harm() -> impl Strategy<Value = Event> {
    prop_oneof![60 => event(), 1 => (0_usize..8).prop_map(Event::Lose)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever happens in whatever order: no message misses a chat node, no exchange goes that somebody uses, no order
    /// is refused, and once things calm down all is as specified.
    #[test]
    fn every_run_ends_as_specified(events in proptest::collection::vec(event(), 0..400)) {
        run(events);
    }

    /// Somebody takes exchanges away meanwhile: the rest holds all the same.
    #[test]
    fn every_run_in_which_exchanges_get_lost_ends_as_specified(
        events in proptest::collection::vec(harm(), 0..400),
    ) {
        run(events);
    }
}

fn run(events: Vec<Event>) {
    let mut model = Model::new();
    model.settle();
    for _ in 0..3 {
        model.happen(Event::Boot);
    }
    model.settle();
    for event in events {
        model.happen(event);
    }
    model.settle();
    model.assert_as_specified();
}
