//! How a node stands with its broker: whether it may publish, and whether something may have been missed.

use std::time::Duration;

use crds::node::Dependency;
use tokio::time::Instant;

/// How long after a sign that a message was missed the node polls the store.
const DOUBT: Duration = Duration::from_secs(10);

/// How a node stands with its broker.
#[derive(Debug)]
pub enum Standing {
    /// There is no connection.
    Away {
        /// Why.
        reason: String,
    },
    /// There is one, but the broker takes no publishes.
    Blocked {
        /// Where the node listens.
        queue: String,
        /// Why, as the broker says.
        reason: String,
    },
    /// Everything works, but that something may have been missed.
    Connected {
        /// Where the node listens.
        queue: String,
        /// When there was the last sign of that, and which.
        doubt: Option<(Instant, &'static str)>,
    },
}

impl Standing {
    /// There is a connection, and nothing was missed since it began.
    pub fn connected(queue: &str) -> Self {
        Self::Connected { queue: queue.to_owned(), doubt: None }
    }

    /// Something may have been missed: the broker has said so, or not confirmed it in time. Whoever published it does
    /// not do so again, as it may have come through; all look into the store instead.
    pub fn doubt(&mut self, why: &'static str) {
        if let Self::Connected { doubt, .. } = self {
            *doubt = Some((Instant::now(), why));
        }
    }

    /// [`Dependency::Reachable`]: nothing is known to be missed.
    pub fn health(&self) -> Dependency {
        let reason = match self {
            Self::Away { reason } => reason.clone(),
            Self::Blocked { reason, .. } => format!("the broker takes no publishes: {reason}"),
            Self::Connected { doubt: Some((at, why)), .. } if at.elapsed() < DOUBT => (*why).to_owned(),
            Self::Connected { .. } => return Dependency::Reachable,
        };
        Dependency::Unreachable { reason }
    }

    /// The queue of the connection that there is.
    pub fn queue(&self) -> Option<&str> {
        match self {
            Self::Away { .. } => None,
            Self::Blocked { queue, .. } | Self::Connected { queue, .. } => Some(queue),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(standing: &Standing) -> Option<String> {
        match standing.health() {
            Dependency::Unreachable { reason } => Some(reason),
            _ => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_doubt_counts_for_ten_seconds_after_its_last_sign() {
        let mut standing = Standing::connected("q");
        assert_eq!(why(&standing), None);
        for _ in 0..2 {
            standing.doubt("a nack");
            tokio::time::advance(Duration::from_millis(9_999)).await;
            assert_eq!(why(&standing).as_deref(), Some("a nack"));
        }
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(why(&standing), None);
    }

    #[test]
    fn a_new_connection_begins_without_doubt_and_none_is_healthy_without_one() {
        let mut standing = Standing::Away { reason: "gone".to_owned() };
        standing.doubt("a nack");
        assert_eq!((why(&standing).as_deref(), standing.queue()), (Some("gone"), None));
        standing = Standing::connected("q");
        standing.doubt("a nack");
        standing = Standing::connected(standing.queue().unwrap_or_default());
        assert_eq!((why(&standing), standing.queue()), (None, Some("q")));
    }
}
