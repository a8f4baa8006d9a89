use super::*;
use crate::groups::{Group, GroupKind, GroupSettings};
use crate::ids::Revision;

const GROUP: GroupId = GroupId(9);
const LIFE: Duration = Duration::from_secs(60);
const MOST: Duration = Duration::from_secs(600);

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

fn view(id: GroupId, version: u64, concerned: &[Concerned]) -> View {
    let group = Group {
        id,
        kind: GroupKind::Private { owner: user("owner") },
        settings: GroupSettings::default(),
        appointed: Vec::new(),
        revision: Revision::default(),
        version: AccessVersion(version),
        changes: concerned.to_vec(),
    };
    View::new(group, Vec::new())
}

struct Fixture {
    cache: Cache,
    now: Instant,
}

impl Fixture {
    fn new(bytes: usize) -> Self {
        Self { cache: Cache::new(Bounds { life: LIFE, most: MOST, bytes }), now: Instant::now() }
    }

    fn look(&mut self, at_least: u64, users: &[UserId]) -> Look {
        self.cache.look(Ask { group: GROUP, at_least: AccessVersion(at_least), users }, self.now)
    }

    fn commit(&mut self, version: u64, concerned: &[Concerned]) -> Read {
        self.cache.commit(view(GROUP, version, concerned), self.now)
    }

    fn learn(&mut self, id: &str, row: Option<Role>, mark: Mark) -> Read {
        self.cache.learn(GROUP, [(user(id), row)], (mark, self.now))
    }

    /// The version and the rows that are known.
    fn known(&mut self, users: &[UserId]) -> Option<(u64, Vec<Option<Role>>)> {
        match self.look(0, users) {
            Look::Known(known) => Some((known.view.version().0, known.rows)),
            Look::Load | Look::Roles(..) => None,
        }
    }

    /// A view of version 1 in which ada and bob are members.
    fn filled() -> Self {
        let mut fixture = Self::new(1 << 20);
        assert_eq!(fixture.look(0, &[]), Look::Load);
        assert_eq!(fixture.commit(1, &[Concerned::Everyone]), Read::Kept);
        let mark = fixture.cache.mark();
        for id in ["ada", "bob"] {
            assert_eq!(fixture.learn(id, Some(Role::Member), mark), Read::Kept);
        }
        fixture
    }
}

#[test]
fn a_view_is_loaded_once_and_roles_are_asked_for_once() {
    let mut fixture = Fixture::filled();
    let users = [user("ada"), user("eve")];
    let Look::Roles(unknown, mark) = fixture.look(0, &users) else { panic!("known") };
    assert_eq!(unknown, [user("eve")]);
    assert_eq!(fixture.learn("eve", None, mark), Read::Kept);
    assert_eq!(fixture.known(&users), Some((1, vec![Some(Role::Member), None])));
}

#[test]
fn a_read_that_is_older_than_what_was_heard_of_is_refused() {
    let mut fixture = Fixture::filled();
    // A reader has read version 1 again; before it is back, somebody says that there is version 2.
    fixture.cache.heard(GROUP, AccessVersion(2));
    assert_eq!(fixture.commit(1, &[]), Read::Late);
    assert_eq!(fixture.look(0, &[]), Look::Load);
    assert_eq!(fixture.commit(2, &[Concerned::User(user("bob"))]), Read::Kept);
}

#[test]
fn the_first_read_of_a_group_can_be_late_too() {
    let mut fixture = Fixture::new(1 << 20);
    assert_eq!(fixture.look(0, &[]), Look::Load);
    fixture.cache.heard(GROUP, AccessVersion(2));
    assert_eq!(fixture.commit(1, &[]), Read::Late);
    assert_eq!(fixture.known(&[]), None);
}

#[test]
fn who_asks_for_a_version_gets_none_before_it() {
    let mut fixture = Fixture::filled();
    assert_eq!(fixture.look(3, &[]), Look::Load);
    assert_eq!(fixture.commit(2, &[]), Read::Late);
    assert_eq!(fixture.commit(3, &[]), Read::Kept);
    assert_eq!(fixture.known(&[]), Some((3, vec![])));
}

#[test]
fn a_change_makes_only_those_unknown_whom_it_concerns() {
    let mut fixture = Fixture::filled();
    let changes = [Concerned::Everyone, Concerned::User(user("bob"))];
    assert_eq!(fixture.commit(3, &changes), Read::Kept);
    assert_eq!(fixture.known(&[user("ada")]), Some((3, vec![Some(Role::Member)])));
    assert_eq!(fixture.known(&[user("bob")]), None);
}

#[test]
fn more_changes_than_are_remembered_make_everyone_unknown() {
    let mut fixture = Fixture::filled();
    assert_eq!(fixture.commit(9, &[Concerned::User(user("bob"))]), Read::Kept);
    assert_eq!(fixture.known(&[user("ada")]), None);
}

#[test]
fn a_role_that_was_read_before_a_change_is_refused_after_it() {
    let mut fixture = Fixture::filled();
    let Look::Roles(_, mark) = fixture.look(0, &[user("eve")]) else { panic!("known") };
    // Eve is put out and the view refreshed before the answer comes, which still says that she is a member.
    assert_eq!(fixture.commit(2, &[Concerned::User(user("eve"))]), Read::Kept);
    assert_eq!(fixture.learn("eve", Some(Role::Member), mark), Read::Late);
    assert_eq!(fixture.known(&[user("eve")]), None);
}

#[test]
fn reading_the_same_version_again_refuses_no_roles_that_are_on_their_way() {
    let mut fixture = Fixture::filled();
    let Look::Roles(_, mark) = fixture.look(0, &[user("eve")]) else { panic!("known") };
    assert_eq!(fixture.commit(1, &[]), Read::Kept);
    assert_eq!(fixture.learn("eve", None, mark), Read::Kept);
}

#[test]
fn views_and_roles_are_believed_for_a_minute() {
    let mut fixture = Fixture::filled();
    fixture.now += LIFE.mul_f64(0.89);
    assert!(fixture.known(&[user("ada")]).is_some());
    fixture.now += LIFE;
    assert_eq!(fixture.look(0, &[]), Look::Load);
    assert_eq!(fixture.commit(1, &[]), Read::Kept);
    assert_eq!(fixture.known(&[user("ada")]), None);
}

#[test]
fn a_version_that_is_seen_to_be_the_newest_keeps_view_and_roles_for_ten_minutes() {
    let mut fixture = Fixture::filled();
    for _ in 0..11 {
        fixture.now += LIFE.mul_f64(0.89);
        assert!(fixture.known(&[user("ada")]).is_some());
        // The official channel bears none until the first change.
        fixture.cache.confirm(GROUP, AccessVersion(0), fixture.now);
    }
    fixture.now += LIFE.mul_f64(0.22);
    assert_eq!(fixture.look(0, &[]), Look::Load);
    assert_eq!(fixture.commit(1, &[]), Read::Kept);
    assert!(matches!(fixture.look(0, &[user("ada")]), Look::Roles(..)), "older than ten minutes");
}

#[test]
fn a_newer_version_that_is_seen_is_as_good_as_heard_of() {
    let mut fixture = Fixture::filled();
    fixture.cache.confirm(GROUP, AccessVersion(2), fixture.now);
    assert_eq!(fixture.look(0, &[]), Look::Load);
    assert_eq!(fixture.commit(1, &[]), Read::Late);
    assert_eq!(fixture.commit(2, &[]), Read::Kept);
}

#[test]
fn what_was_seen_before_a_flush_confirms_nothing_after_it() {
    let mut fixture = Fixture::filled();
    let before = fixture.now;
    fixture.now += Duration::from_secs(1);
    fixture.cache.flush(fixture.now);
    fixture.cache.confirm(GROUP, AccessVersion(1), before);
    assert_eq!(fixture.look(0, &[]), Look::Load);
    fixture.cache.confirm(GROUP, AccessVersion(1), fixture.now);
    assert!(fixture.known(&[user("ada")]).is_some());
}

#[test]
fn after_a_flush_the_version_is_read_again_and_the_roles_are_not() {
    let mut fixture = Fixture::filled();
    fixture.cache.flush(fixture.now);
    assert_eq!(fixture.look(0, &[]), Look::Load);
    assert_eq!(fixture.commit(1, &[]), Read::Kept);
    assert_eq!(fixture.known(&[user("ada")]), Some((1, vec![Some(Role::Member)])));
}

#[test]
fn members_are_those_of_the_newest_version_or_unknown() {
    let mut fixture = Fixture::filled();
    let members: Arc<[UserId]> = [user("ada")].into();
    let mark = fixture.cache.mark();
    fixture.cache.learn_members(GROUP, &members, mark);
    assert_eq!(fixture.cache.members(GROUP), Some(members.clone()));
    fixture.cache.heard(GROUP, AccessVersion(2));
    assert_eq!(fixture.cache.members(GROUP), None);
    fixture.commit(2, &[]);
    assert_eq!(fixture.cache.members(GROUP), None);
    fixture.cache.learn_members(GROUP, &members, mark);
    assert_eq!(fixture.cache.members(GROUP), None, "read before the change");
}

#[test]
fn what_is_held_stays_below_the_bound_and_what_was_used_last_stays() {
    let mut cache = Cache::new(Bounds { life: LIFE, most: MOST, bytes: 20_000 });
    let mut now = Instant::now();
    for number in 0..1_000 {
        now += Duration::from_millis(200);
        let id = GroupId(number);
        let ask = Ask { group: id, at_least: AccessVersion(0), users: &[] };
        assert_eq!(cache.look(ask, now), Look::Load);
        assert_eq!(cache.commit(view(id, 1, &[]), now), Read::Kept);
        assert!(cache.bytes() <= 20_000 + 1_000 * SLOT_BYTES, "{}", cache.bytes());
        assert!(matches!(cache.look(ask, now), Look::Known(_)), "{number} was let go at once");
    }
    assert!(cache.slots.len() < 400, "{} versions are remembered for ever", cache.slots.len());
    for number in 0..1_000 {
        cache.forget(GroupId(number));
    }
    assert_eq!(cache.bytes(), 0);
}

#[test]
fn one_group_with_very_many_known_roles_is_bounded_too() {
    let mut fixture = Fixture::filled();
    fixture.cache.bounds.bytes = 50_000;
    for number in 0..5_000 {
        let mark = fixture.cache.mark();
        fixture.learn(&format!("user-{number}"), None, mark);
        assert!(fixture.cache.bytes() <= 50_000);
    }
    assert_eq!(fixture.known(&[]), Some((1, vec![])), "the group itself stays");
}
