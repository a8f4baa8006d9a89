use super::*;

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn watched(names: &[&str]) -> Watched {
    names.iter().map(|name| user(name)).collect()
}

/// Nodes whose notices reach all, unless a test loses them.
struct World {
    now: Instant,
    nodes: Vec<Directory>,
}

impl World {
    fn of(count: u64) -> Self {
        let nodes = (0..count).map(|number| Directory::new(NodeTag(number))).collect();
        let mut world = Self { now: Instant::now(), nodes };
        world.seconds(3, |_| true);
        world
    }

    /// Lets seconds pass; `arrives` says whether a notice does.
    fn seconds(&mut self, count: u64, arrives: impl Fn(&PresenceNotice) -> bool) -> Vec<Told> {
        let mut all = Vec::new();
        for _ in 0..count {
            self.now += Duration::from_secs(1);
            let told: Vec<_> = self.nodes.iter_mut().map(|node| node.tick(self.now)).collect();
            for notice in told.iter().flat_map(|told| &told.notices).filter(|notice| arrives(notice)) {
                self.nodes.iter_mut().for_each(|node| node.receive(notice, self.now));
            }
            all.extend(told);
        }
        all
    }

    fn sees(&self, node: usize, name: &str) -> bool {
        self.nodes[node].presence(&user(name)).online
    }
}

const EYE: ConnectionId = ConnectionId(1);

#[test]
fn who_comes_to_one_node_is_seen_on_all_within_two_seconds() {
    let mut world = World::of(3);
    let now = world.nodes[2].watch(EYE, &watched(&["ada", "bob"]));
    assert!(now.iter().all(|presence| !presence.online) && now.len() == 2);
    world.nodes[0].arrived(&user("ada"));
    let told = world.seconds(2, |_| true);
    assert!(world.sees(1, "ada") && world.sees(2, "ada") && !world.sees(2, "bob"));
    let heard: Vec<_> = told.iter().filter_map(|told| told.watchers.get(&EYE)).collect();
    assert_eq!(heard, [&vec![UserPresence { id: user("ada"), online: true }]]);
}

#[test]
fn who_changes_nodes_is_never_gone() {
    let mut world = World::of(2);
    world.nodes[0].arrived(&user("ada"));
    world.seconds(2, |_| true);
    for node in &mut world.nodes {
        node.watch(EYE, &watched(&["ada"]));
    }
    let now = world.now;
    world.nodes[0].left(&user("ada"), now);
    let mut told = world.seconds(1, |_| true);
    world.nodes[1].arrived(&user("ada"));
    told.extend(world.seconds(10, |_| true));
    assert!(told.iter().all(|told| told.watchers.is_empty()), "{told:?}");
    assert!(world.sees(0, "ada") && world.sees(1, "ada"));
}

#[test]
fn the_last_connection_of_a_user_counts_and_not_the_first() {
    let mut world = World::of(2);
    world.nodes[0].arrived(&user("ada"));
    world.nodes[0].arrived(&user("ada"));
    let now = world.now;
    world.nodes[0].left(&user("ada"), now);
    world.seconds(10, |_| true);
    assert!(world.sees(1, "ada"));
    let now = world.now;
    world.nodes[0].left(&user("ada"), now);
    world.seconds(6, |_| true);
    assert!(!world.sees(0, "ada") && !world.sees(1, "ada"));
}

#[test]
fn lost_changes_are_asked_for() {
    let mut world = World::of(2);
    world.nodes[0].arrived(&user("ada"));
    world.seconds(1, |notice| !matches!(notice, PresenceNotice::Changes { .. }));
    assert!(!world.sees(1, "ada"));
    // The next beat shows it.
    world.seconds(9, |_| true);
    assert!(world.sees(1, "ada"));
}

#[test]
fn a_snapshot_of_many_users_comes_in_parts_and_a_lost_part_is_no_harm() {
    let mut world = World::of(1);
    for number in 0..1_200 {
        world.nodes[0].arrived(&user(&format!("user-{number}")));
    }
    world.seconds(2, |_| true);
    world.nodes.push(Directory::new(NodeTag(9)));
    world.seconds(3, |notice| !matches!(notice, PresenceNotice::Snapshot { part: 1, .. }));
    assert!(!world.sees(1, "user-7"));
    world.seconds(10, |_| true);
    assert!((0..1_200).all(|number| world.sees(1, &format!("user-{number}"))));
    for notice in world.seconds(5, |_| true).iter().flat_map(|told| &told.notices) {
        assert!(matches!(notice, PresenceNotice::Beat { .. }), "{notice:?}");
    }
}

#[test]
fn a_silent_node_is_forgotten_after_fifteen_seconds() {
    let mut world = World::of(2);
    world.nodes[0].arrived(&user("ada"));
    world.seconds(2, |_| true);
    world.nodes[1].watch(EYE, &watched(&["ada"]));
    let from_dead = |notice: &PresenceNotice| {
        matches!(
            notice,
            PresenceNotice::Changes { node: NodeTag(0), .. } | PresenceNotice::Beat { node: NodeTag(0), .. }
        )
    };
    world.seconds(12, |notice| !from_dead(notice));
    assert!(world.sees(1, "ada"));
    let told = world.seconds(4, |notice| !from_dead(notice));
    assert!(!world.sees(1, "ada"));
    let gone = UserPresence { id: user("ada"), online: false };
    assert!(told.iter().any(|told| told.watchers.get(&EYE) == Some(&vec![gone.clone()])));
}

#[test]
fn who_watches_others_or_nobody_hears_no_more() {
    let mut world = World::of(1);
    world.nodes[0].watch(EYE, &watched(&["ada"]));
    world.nodes[0].watch(EYE, &watched(&["bob"]));
    world.nodes[0].watch(ConnectionId(2), &watched(&["ada"]));
    world.nodes[0].unwatch(ConnectionId(2));
    world.nodes[0].arrived(&user("ada"));
    assert!(world.seconds(2, |_| true).iter().all(|told| told.watchers.is_empty()));
}
