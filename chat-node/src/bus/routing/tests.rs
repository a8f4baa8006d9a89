use proptest::prelude::*;

use super::*;

const MODES: [RoutingMode; 3] = [RoutingMode::User, RoutingMode::Channel, RoutingMode::Static];

fn plan(mode: RoutingMode, partitions: u16) -> TopologyPlan {
    TopologyPlan { epoch: 3, partitions, routing: mode }
}

fn users(names: &[&str]) -> Vec<UserId> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// Routes as `exchange key`.
fn shown(routes: &[Route]) -> Vec<String> {
    let cluster = ClusterKey::new("ns", "c");
    let show = |route: &Route| format!("{} {}", route.exchange.name(&cluster), route.key.text());
    routes.iter().map(|route| show(route).trim_end().to_owned()).collect()
}

#[test]
fn envelopes_go_where_the_mode_says() {
    let members = users(&["ada", "bob"]);
    let channel = Audience::Channel { id: ChannelId(77), members: &members };
    let p = |key: &str| partition::of_key(key, 16);
    let control = vec!["vt.ns.c.control".to_owned()];
    let each = vec![format!("vt.ns.c.3.{} ada", p("ada")), format!("vt.ns.c.3.{} bob", p("bob"))];
    let table = [
        (RoutingMode::User, Audience::Everyone, control.clone()),
        (RoutingMode::User, Audience::Users(&members), each.clone()),
        (RoutingMode::User, channel, each),
        (RoutingMode::Channel, Audience::Everyone, control.clone()),
        (RoutingMode::Channel, Audience::Users(&members), control.clone()),
        (RoutingMode::Channel, channel, vec![format!("vt.ns.c.3.{} 77", p("77"))]),
        (RoutingMode::Static, Audience::Everyone, control.clone()),
        (RoutingMode::Static, Audience::Users(&members), control),
        (RoutingMode::Static, channel, vec![format!("vt.ns.c.3.{} all", p("77"))]),
    ];
    for (mode, audience, wanted) in table {
        assert_eq!(shown(&of(mode).routes(plan(mode, 16), audience)), wanted, "{mode:?} {audience:?}");
    }
}

#[test]
fn what_is_for_nobody_goes_nowhere() {
    for mode in MODES {
        assert_eq!(of(mode).routes(plan(mode, 4), Audience::Users(&[])), []);
    }
    let nobody = Audience::Channel { id: ChannelId(7), members: &[] };
    assert_eq!(of(RoutingMode::User).routes(plan(RoutingMode::User, 4), nobody), []);
}

#[test]
fn a_channel_of_very_many_goes_to_every_node() {
    let many: Vec<UserId> =
        (0..=USER_ROUTING_MEMBERS_MAX).map(|n| format!("user-{n}").parse().unwrap()).collect();
    let routes = |members| {
        let audience = Audience::Channel { id: ChannelId(7), members };
        of(RoutingMode::User).routes(plan(RoutingMode::User, 4), audience)
    };
    assert_eq!(routes(&many), [Route::CONTROL]);
    assert_eq!(routes(&many[1..]).len(), USER_ROUTING_MEMBERS_MAX);
}

#[test]
fn a_node_binds_what_the_mode_says() {
    let bindings = |mode: RoutingMode| {
        let plan = plan(mode, 2);
        let topics = [Topic::User("ada".parse().unwrap()), Topic::Channel(ChannelId(77))];
        let mut routes = of(mode).standing(plan);
        routes.extend(topics.iter().filter_map(|topic| of(mode).binding(plan, topic)));
        shown(&routes)
    };
    assert_eq!(bindings(RoutingMode::User), [format!("vt.ns.c.3.{} ada", partition::of_key("ada", 2))]);
    assert_eq!(bindings(RoutingMode::Channel), [format!("vt.ns.c.3.{} 77", partition::of_key("77", 2))]);
    assert_eq!(bindings(RoutingMode::Static), ["vt.ns.c.3.0 all", "vt.ns.c.3.1 all"]);
}

proptest! {
    /// The two halves of a routing fit: who wants a topic has bound one of the routes that its envelopes take.
    #[test]
    fn what_is_published_meets_what_is_bound(
        names in proptest::collection::btree_set("[a-z]{1,12}", 1..300),
        channel in 1_u64..,
        partitions in 1_u16..=256,
    ) {
        let members: Vec<UserId> = names.iter().map(|name| name.parse().unwrap()).collect();
        for mode in MODES {
            let (routing, plan) = (of(mode), plan(mode, partitions));
            let bound = |topic: Topic| {
                let mut bound = routing.standing(plan);
                bound.push(Route::CONTROL);
                bound.extend(routing.binding(plan, &topic));
                bound
            };
            let to_channel =
                routing.routes(plan, Audience::Channel { id: ChannelId(channel), members: &members });
            let to_users = routing.routes(plan, Audience::Users(&members));
            for member in &members {
                let user = bound(Topic::User(member.clone()));
                let follower = bound(Topic::Channel(ChannelId(channel)));
                prop_assert!(to_users.iter().any(|route| user.contains(route)));
                // A node with a follower has the user and the channel.
                prop_assert!(to_channel.iter().any(|route| user.contains(route) || follower.contains(route)));
            }
        }
    }
}
