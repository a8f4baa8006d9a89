//! Who is in which channel.

use std::collections::HashSet;

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::profile::Profile;

/// A user of the run, by number from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserNumber(pub u32);

/// A channel of the run, by number from 0; 0 is the official one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomNumber(pub u32);

/// The users of a run and their channels.
#[derive(Clone, Debug)]
pub struct Cast {
    /// How many users there are.
    pub users: u32,
    /// The members of each group, the owner first.
    pub groups: Vec<Vec<UserNumber>>,
    /// How many channels each group has.
    pub channels_of_group: u32,
    /// The direct channels.
    pub pairs: Vec<[UserNumber; 2]>,
}

/// The channel that everyone is in.
pub const OFFICIAL: RoomNumber = RoomNumber(0);

/// What a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Everyone's.
    Official,
    /// A group's, by its number among the group's channels.
    Group { group: usize, channel: u32 },
    /// Of two.
    Direct(usize),
}

/// What kind of talk a channel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Talk {
    /// From one to all.
    Official,
    /// In a group.
    Group,
    /// Between two.
    Direct,
}

impl Cast {
    /// Puts users together at random, as evenly as it goes; the same for the same profile.
    pub fn of(profile: &Profile) -> Self {
        let mut deck = Deck { users: profile.users, rest: Vec::new(), rng: Rng::with_seed(profile.seed) };
        let groups = (0..profile.groups.count).map(|_| deck.deal(profile.groups.size)).collect();
        let mut known = HashSet::new();
        let mut pairs = Vec::new();
        while pairs.len() < profile.direct.pairs as usize {
            let mut pair = deck.deal(2);
            pair.sort_unstable();
            if known.insert((pair[0], pair[1])) {
                pairs.push([pair[0], pair[1]]);
            }
        }
        Self { users: profile.users, groups, channels_of_group: profile.groups.channels, pairs }
    }

    /// A direct channel for each two users that follow each other: where users go to two addresses in turn, the two are at
    /// different ones.
    pub fn neighbours(users: u32) -> Self {
        let pair = |number: u32| [UserNumber(2 * number), UserNumber(2 * number + 1)];
        let pairs = (0..users / 2).map(pair).collect();
        Self { users, groups: Vec::new(), channels_of_group: 0, pairs }
    }

    /// How many channels there are.
    pub fn rooms(&self) -> u32 {
        1 + self.group_rooms() + self.pairs.len() as u32
    }

    /// How many of them belong to groups.
    pub fn group_rooms(&self) -> u32 {
        self.groups.len() as u32 * self.channels_of_group
    }

    /// What a channel is.
    pub fn room(&self, RoomNumber(number): RoomNumber) -> Room {
        let Some(number) = number.checked_sub(1) else { return Room::Official };
        match number.checked_sub(self.group_rooms()) {
            Some(pair) => Room::Direct(pair as usize),
            None => Room::Group {
                group: (number / self.channels_of_group) as usize,
                channel: number % self.channels_of_group,
            },
        }
    }

    /// What kind of talk a channel is for.
    pub fn talk(&self, room: RoomNumber) -> Talk {
        match self.room(room) {
            Room::Official => Talk::Official,
            Room::Group { .. } => Talk::Group,
            Room::Direct(_) => Talk::Direct,
        }
    }

    /// The channel of a group.
    pub fn group_room(&self, group: usize, channel: u32) -> RoomNumber {
        RoomNumber(1 + group as u32 * self.channels_of_group + channel)
    }

    /// The channel of a pair.
    pub fn pair_room(&self, pair: usize) -> RoomNumber {
        RoomNumber(1 + self.group_rooms() + pair as u32)
    }

    /// A reader of a channel; any `place` has one.
    pub fn reader(&self, room: RoomNumber, place: u32) -> UserNumber {
        match self.room(room) {
            Room::Official => UserNumber(place % self.users),
            Room::Group { group, .. } => {
                let members = &self.groups[group];
                members[place as usize % members.len()]
            }
            Room::Direct(pair) => self.pairs[pair][place as usize % 2],
        }
    }

    /// The channels of every user but the official one, in order.
    pub fn rooms_of_users(&self) -> Vec<Vec<RoomNumber>> {
        let mut rooms = vec![Vec::new(); self.users as usize];
        for (group, members) in self.groups.iter().enumerate() {
            for channel in 0..self.channels_of_group {
                for member in members {
                    rooms[member.0 as usize].push(self.group_room(group, channel));
                }
            }
        }
        for (number, pair) in self.pairs.iter().enumerate() {
            for member in pair {
                rooms[member.0 as usize].push(self.pair_room(number));
            }
        }
        rooms
    }
}

/// All users, shuffled, again and again.
struct Deck {
    users: u32,
    rest: Vec<UserNumber>,
    rng: Rng,
}

impl Deck {
    /// So many different users.
    fn deal(&mut self, count: u32) -> Vec<UserNumber> {
        if self.rest.len() < count as usize {
            self.rest = (0..self.users).map(UserNumber).collect();
            self.rng.shuffle(&mut self.rest);
        }
        self.rest.split_off(self.rest.len() - count as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast(text: &str) -> Cast {
        Cast::of(&Profile::parse(text).unwrap())
    }

    #[test]
    fn everyone_is_in_as_many_groups_as_others_and_once_in_each() {
        let cast = cast("{description: '', users: 100, groups: {count: 20, size: 20, channels: 2}}");
        assert_eq!(cast.rooms(), 41);
        let rooms = cast.rooms_of_users();
        assert!(rooms.iter().all(|rooms| rooms.len() == 8));
        for group in &cast.groups {
            assert_eq!(group.iter().collect::<HashSet<_>>().len(), 20);
        }
    }

    #[test]
    fn no_two_pairs_are_the_same() {
        let cast = cast("{description: '', users: 10, direct: {pairs: 45}}");
        let pairs: HashSet<_> = cast.pairs.iter().collect();
        assert_eq!(pairs.len(), 45);
        assert!(cast.pairs.iter().all(|[one, other]| one != other));
    }

    #[test]
    fn neighbours_have_a_channel_and_nobody_has_two() {
        let cast = Cast::neighbours(6);
        assert!(cast.pairs.iter().all(|[one, other]| one.0 % 2 == 0 && other.0 == one.0 + 1));
        assert!(cast.rooms_of_users().iter().all(|rooms| rooms.len() == 1));
        assert_eq!((cast.rooms(), cast.room(cast.pair_room(2))), (4, Room::Direct(2)));
    }

    #[test]
    fn every_room_is_found_again_by_its_number() {
        let cast = cast(
            "{description: '', users: 10, groups: {count: 2, size: 3, channels: 2}, direct: {pairs: 2}}",
        );
        assert_eq!(cast.room(OFFICIAL), Room::Official);
        assert_eq!(cast.room(cast.group_room(1, 1)), Room::Group { group: 1, channel: 1 });
        assert_eq!(cast.room(cast.pair_room(1)), Room::Direct(1));
        let talks = [OFFICIAL, cast.group_room(0, 1), cast.pair_room(0)].map(|room| cast.talk(room));
        assert_eq!(talks, [Talk::Official, Talk::Group, Talk::Direct]);
        let shared: usize = cast.rooms_of_users().iter().map(Vec::len).sum();
        assert_eq!(shared, 4 * 3 + 2 * 2);
    }

    #[test]
    fn the_same_seed_makes_the_same_cast() {
        let text = "{description: '', users: 100, groups: {count: 5, size: 7}, seed: 3}";
        assert_eq!(cast(text).groups, cast(text).groups);
        assert_ne!(cast(text).groups, cast(&text.replace("seed: 3", "seed: 4")).groups);
    }
}
