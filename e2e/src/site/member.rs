//! The processes of a site that can be harmed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::signal::Signal;

use super::{MOST_BROKERS, Site};
use crate::daemon::Daemon;

/// How long a member may take to serve after its start, beside all others.
const STARTED_WITHIN: Duration = Duration::from_secs(120);

/// A service of a site, with all its processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// A RabbitMQ node, by its number from 1.
    Broker(u8),
    /// PostgreSQL.
    Database,
    /// FerretDB, which is the store to its users.
    Ferretdb,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(number) => write!(f, "broker-{number}"),
            Self::Database => f.write_str("database"),
            Self::Ferretdb => f.write_str("ferretdb"),
        }
    }
}

impl FromStr for Member {
    type Err = anyhow::Error;

    /// Of a broker the number is enough.
    fn from_str(text: &str) -> Result<Self> {
        match (text, text.strip_prefix("broker-").unwrap_or(text).parse()) {
            ("database", _) => Ok(Self::Database),
            ("ferretdb", _) => Ok(Self::Ferretdb),
            (_, Ok(number @ 1..=MOST_BROKERS)) => Ok(Self::Broker(number)),
            _ => bail!("`{text}` is no part of a site: write 1 to {MOST_BROKERS}, database or ferretdb"),
        }
    }
}

impl Site {
    /// Kills all processes of a member at once.
    pub async fn kill(&self, member: Member) -> Result<()> {
        self.daemon_of(member).end().await
    }

    /// Stops all processes of a member in the middle of whatever they do (SIGSTOP).
    pub fn pause(&self, member: Member) -> Result<()> {
        self.daemon_of(member).signal(Signal::SIGSTOP)
    }

    /// Lets a member go on that was stopped.
    pub fn resume(&self, member: Member) -> Result<()> {
        self.daemon_of(member).signal(Signal::SIGCONT)
    }

    /// Starts a member with the data that it left; back when it serves.
    pub async fn start(&self, member: Member) -> Result<()> {
        match member {
            Member::Broker(number) => self.prepare_broker(number)?,
            Member::Database => self.prepare_database().await?,
            Member::Ferretdb => {}
        }
        let daemon = self.daemon_of(member);
        daemon.ensure(&self.paths).await?;
        daemon.until(&self.paths, STARTED_WITHIN, async || self.serves(member).await).await
    }

    /// The processes of a member.
    pub fn daemon_of(&self, member: Member) -> Daemon {
        match member {
            Member::Broker(number) => self.broker_daemon(number),
            Member::Database => self.database_daemon(),
            Member::Ferretdb => self.ferretdb_daemon(),
        }
    }

    async fn serves(&self, member: Member) -> bool {
        match member {
            Member::Broker(number) => self.broker_serves(number).await,
            Member::Database => self.database_serves(),
            Member::Ferretdb => self.ferretdb_serves().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named_as_they_are_shown_and_brokers_also_by_number() {
        for member in [Member::Broker(2), Member::Database, Member::Ferretdb] {
            assert_eq!(member.to_string().parse::<Member>().unwrap(), member);
        }
        assert_eq!("3".parse::<Member>().unwrap(), Member::Broker(3));
        assert!("4".parse::<Member>().is_err() && "broker-0".parse::<Member>().is_err());
    }
}
