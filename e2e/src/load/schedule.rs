//! What is due when. The schedule stands before the run begins: nobody waits for an answer before they speak again, so a
//! slow service cannot hide how slow it is.

use std::time::Duration;

use fastrand::Rng;

use super::cast::{Cast, OFFICIAL, RoomNumber, UserNumber};
use super::profile::{Arrivals, Profile};

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Says something in a channel.
    Say(RoomNumber, UserNumber),
    /// Is writing in a channel.
    Type(RoomNumber, UserNumber),
    /// Loses the connection.
    Lose(UserNumber),
}

/// An action and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Counted from the begin of the traffic.
    pub at: Duration,
    /// What is to be done.
    pub action: Action,
}

/// All that happens in a run, in its order.
pub struct Schedule<'a> {
    cast: &'a Cast,
    streams: Vec<Stream>,
    arrivals: Arrivals,
    rng: Rng,
    until: f64,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Official,
    Groups,
    Direct,
    Typing,
    Losses,
    /// Breaks this many connections at once, of users who follow each other from the first of these numbers on.
    Event {
        from: u32,
        left: u32,
    },
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    source: Source,
    /// Seconds between two.
    gap: f64,
    /// Seconds until the next.
    next: f64,
}

impl<'a> Schedule<'a> {
    /// The schedule of a profile.
    pub fn new(profile: &Profile, cast: &'a Cast) -> Self {
        let losses = f64::from(profile.users) * profile.reconnect_percent_per_minute / 6_000.0;
        let sources = [
            (Source::Official, profile.official.messages_per_second),
            (Source::Groups, profile.groups.messages_per_second),
            (Source::Direct, profile.direct.messages_per_second),
            (Source::Typing, profile.typing_per_second),
            (Source::Losses, losses),
        ];
        let mut rng = Rng::with_seed(profile.seed ^ 0x5eed);
        let steady = sources.into_iter().filter(|(_, rate)| *rate > 0.0).map(|(source, rate)| {
            let gap = 1.0 / rate;
            // Streams of the same rate shall not always meet.
            Stream { source, gap, next: gap * rng.f64() }
        });
        let mut streams: Vec<Stream> = steady.collect();
        for event in &profile.events {
            let percent = event.cut_percent.unwrap_or(0.0);
            let left = (f64::from(profile.users) * percent / 100.0) as u32;
            let source = Source::Event { from: rng.u32(0..profile.users), left };
            if left > 0 {
                streams.push(Stream { source, gap: 0.0, next: event.at.as_std().as_secs_f64() });
            }
        }
        Self { cast, streams, arrivals: profile.arrivals, rng, until: profile.traffic().as_secs_f64() }
    }

    fn action(&mut self, source: Source) -> Action {
        let groups = 1..1 + self.cast.group_rooms();
        let room = match source {
            Source::Official => OFFICIAL,
            Source::Groups => RoomNumber(self.rng.u32(groups)),
            Source::Direct => RoomNumber(self.rng.u32(groups.end..self.cast.rooms())),
            Source::Typing => RoomNumber(self.rng.u32(1..self.cast.rooms())),
            Source::Losses => return Action::Lose(UserNumber(self.rng.u32(0..self.cast.users))),
            Source::Event { from, left } => {
                let number = (u64::from(from) + u64::from(left)) % u64::from(self.cast.users);
                return Action::Lose(UserNumber(number as u32));
            }
        };
        let user = self.cast.reader(room, self.rng.u32(..));
        match source {
            Source::Typing => Action::Type(room, user),
            _ => Action::Say(room, user),
        }
    }

    fn advance(&mut self, index: usize) {
        let stream = &mut self.streams[index];
        if let Source::Event { left, .. } = &mut stream.source {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.streams.swap_remove(index);
            }
            return;
        }
        stream.next += match self.arrivals {
            Arrivals::Even => stream.gap,
            Arrivals::Poisson => stream.gap * -(1.0 - self.rng.f64()).ln(),
        };
    }
}

impl Iterator for Schedule<'_> {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        let soonest =
            self.streams.iter().enumerate().min_by(|one, other| one.1.next.total_cmp(&other.1.next));
        let (index, Stream { source, next, .. }) = soonest.map(|(index, stream)| (index, *stream))?;
        if next >= self.until {
            return None;
        }
        let action = self.action(source);
        self.advance(index);
        Some(Due { at: Duration::from_secs_f64(next), action })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(text: &str) -> Vec<Due> {
        let profile = Profile::parse(text).unwrap();
        let cast = Cast::of(&profile);
        Schedule::new(&profile, &cast).collect()
    }

    const ALL: &str = "{description: '', users: 100, official: {messagesPerSecond: 2}, \
        groups: {count: 10, size: 5, messagesPerSecond: 50}, direct: {pairs: 20, messagesPerSecond: 20}, \
        typingPerSecond: 10, reconnectPercentPerMinute: 60, duration: 10s}";

    fn count(due: &[Due], of: impl Fn(&Action) -> bool) -> usize {
        due.iter().filter(|due| of(&due.action)).count()
    }

    #[test]
    fn everything_is_due_in_order_and_as_often_as_asked_for() {
        let due = schedule(ALL);
        assert!(due.is_sorted_by_key(|due| due.at));
        assert!(due.iter().all(|due| due.at < Duration::from_secs(10)));
        let said = |from: u32, to: u32| {
            count(&due, |action| matches!(action, Action::Say(room, _) if (from..to).contains(&room.0)))
        };
        assert_eq!((said(0, 1), said(1, 11), said(11, 31)), (20, 500, 200));
        assert_eq!(count(&due, |action| matches!(action, Action::Type(..))), 100);
        assert_eq!(count(&due, |action| matches!(action, Action::Lose(_))), 10);
    }

    #[test]
    fn whoever_speaks_is_in_the_channel() {
        let profile = Profile::parse(ALL).unwrap();
        let cast = Cast::of(&profile);
        let rooms = cast.rooms_of_users();
        for due in Schedule::new(&profile, &cast) {
            if let Action::Say(room, user) | Action::Type(room, user) = due.action {
                assert!(room == OFFICIAL || rooms[user.0 as usize].contains(&room), "{due:?}");
            }
        }
    }

    #[test]
    fn a_seed_is_a_schedule() {
        assert_eq!(schedule(ALL), schedule(ALL));
        assert_ne!(schedule(ALL), schedule(&ALL.replace("duration", "seed: 9, duration")));
    }

    #[test]
    fn peoples_sends_are_as_many_but_not_at_equal_distances() {
        let due = schedule(&ALL.replace("duration", "arrivals: poisson, duration"));
        let said: Vec<_> =
            due.iter().filter(|due| matches!(due.action, Action::Say(room, _) if room.0 > 10)).collect();
        assert!((150..250).contains(&said.len()), "{}", said.len());
        let gaps: Vec<_> = said.windows(2).map(|two| two[1].at - two[0].at).collect();
        assert!(gaps.iter().max().unwrap() > &(*gaps.iter().min().unwrap() * 10));
    }

    #[test]
    fn an_event_breaks_its_share_of_the_connections_at_its_time() {
        let due = schedule(
            "{description: '', users: 200, events: [{at: 3s, cutPercent: 25}], duration: 10s, seed: 2}",
        );
        let mut lost: Vec<_> = due.iter().map(|due| (due.at.as_secs(), due.action)).collect();
        assert!(lost.iter().all(|(at, action)| *at == 3 && matches!(action, Action::Lose(_))));
        lost.dedup();
        assert_eq!(lost.len(), 50);
    }
}
