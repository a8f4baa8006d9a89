//! The bounds of a profile.

use anyhow::{Result, ensure};

use super::Profile;

/// One process has room for so many.
const USERS_MAX: u32 = 200_000;
/// As many members as a group may have.
const MEMBERS_MAX: u32 = 10_000;
/// As many groups as a user may be in.
const GROUPS_OF_USER_MAX: u32 = 100;
/// Everyone once a second.
const RECONNECT_PERCENT_MAX: f64 = 6_000.0;
const RATE_MAX: f64 = 1_000_000.0;

impl Profile {
    /// An error that names the field which is out of its bounds.
    ///
    /// # Errors
    /// See above.
    pub fn check(&self) -> Result<()> {
        within("users", self.users, (1, USERS_MAX))?;
        within("contentBytes", self.content_bytes.into(), (16, 4_000))?;
        within("connect.atOnce", self.connect.at_once, (1, 10_000))?;
        if let Some(rate) = self.connect.per_second {
            ensure!(
                (0.1..=RATE_MAX).contains(&rate),
                "`connect.perSecond` is {rate}; it must be 0.1 or more"
            );
        }
        self.check_groups()?;
        let pairs_max = u64::from(self.users) * u64::from(self.users.saturating_sub(1)) / 2;
        let pairs = self.direct.pairs;
        ensure!(
            u64::from(pairs) <= pairs_max.min(u64::from(self.users) * 50),
            "`direct.pairs` is {pairs}: so many pairs cannot be made of {} users",
            self.users
        );
        self.check_rates()
    }

    fn check_groups(&self) -> Result<()> {
        let groups = &self.groups;
        if groups.count == 0 {
            return Ok(());
        }
        within("groups.size", groups.size, (2, self.users.min(MEMBERS_MAX)))?;
        within("groups.channels", groups.channels, (1, 50))?;
        let each = u64::from(groups.count) * u64::from(groups.size) / u64::from(self.users);
        ensure!(
            each < u64::from(GROUPS_OF_USER_MAX),
            "`groups.count` is {}: each of {} users would be in {each} groups; at most {GROUPS_OF_USER_MAX}",
            groups.count,
            self.users
        );
        Ok(())
    }

    fn check_rates(&self) -> Result<()> {
        let rates = [
            ("official.messagesPerSecond", self.official.messages_per_second),
            ("groups.messagesPerSecond", self.groups.messages_per_second),
            ("direct.messagesPerSecond", self.direct.messages_per_second),
            ("typingPerSecond", self.typing_per_second),
        ];
        for (name, rate) in rates {
            ensure!((0.0..=RATE_MAX).contains(&rate), "`{name}` is {rate}; it must be 0 to {RATE_MAX}");
        }
        let reconnects = self.reconnect_percent_per_minute;
        ensure!(
            (0.0..=RECONNECT_PERCENT_MAX).contains(&reconnects),
            "`reconnectPercentPerMinute` is {reconnects}; it must be 0 to {RECONNECT_PERCENT_MAX}"
        );
        for event in &self.events {
            let what = [
                event.cut_percent.is_some(),
                event.fault.is_some(),
                event.step_clock.is_some(),
                event.partitions.is_some(),
            ];
            ensure!(
                what.into_iter().filter(|is_there| *is_there).count() == 1,
                "`events` has one at {}: it must have `cutPercent`, `fault`, `stepClock` or `partitions`",
                event.at
            );
            within("events.partitions", event.partitions.unwrap_or(1).into(), (1, 256))?;
        }
        let cuts = self.events.iter().filter_map(|event| Some(("events.cutPercent", event.cut_percent?)));
        for (name, percent) in [("slow.percent", self.slow.percent)].into_iter().chain(cuts) {
            ensure!((0.0..=100.0).contains(&percent), "`{name}` is {percent}; it must be 0 to 100");
        }
        let (groups, pairs) = (self.groups.count > 0, self.direct.pairs > 0);
        ensure!(
            groups || self.groups.messages_per_second == 0.0,
            "`groups.messagesPerSecond` needs `groups.count`"
        );
        ensure!(
            pairs || self.direct.messages_per_second == 0.0,
            "`direct.messagesPerSecond` needs `direct.pairs`"
        );
        ensure!(groups || pairs || self.typing_per_second == 0.0, "`typingPerSecond` needs groups or pairs");
        Ok(())
    }
}

fn within(name: &str, value: u32, (least, most): (u32, u32)) -> Result<()> {
    ensure!((least..=most).contains(&value), "`{name}` is {value}; it must be {least} to {most}");
    Ok(())
}
