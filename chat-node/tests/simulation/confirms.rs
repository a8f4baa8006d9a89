//! What the broker says of a publish, and what comes of it where it says that something was missed, or nothing: the node
//! looks at the store soon, and publishes nothing again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::flaw::Flaw;
use crate::network::{Link, Member, Network};
use crate::trace::Event;

/// How long a confirm may take until the node doubts, and how much longer until it gives the connection up.
const LATE: Duration = Duration::from_secs(2);
const GIVES_UP: Duration = Duration::from_secs(3);
/// Longest pause before it connects again, in ms.
const BACKOFF_MS: u64 = 5_000;
/// Within this time a node in doubt looks at the store.
const LOOKS_WITHIN: Duration = Duration::from_secs(1);

/// What the broker says of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Confirm {
    Ack,
    /// A queue missed it.
    Nack,
    /// Nothing, as if it hung.
    Nothing,
}

impl Network {
    /// What the broker will say, and whether it passes the publish on.
    pub fn answer(&self) -> (Confirm, bool) {
        let (nacks, hangs) = {
            let weather = self.world.weather();
            (weather.bus_nacks, weather.bus_hangs)
        };
        if self.dice.happens(nacks) {
            (Confirm::Nack, self.dice.happens(0.5))
        } else if self.dice.happens(hangs) {
            (Confirm::Nothing, self.dice.happens(0.5))
        } else {
            (Confirm::Ack, true)
        }
    }

    /// What a node makes of a publish that is not confirmed.
    pub async fn unconfirmed(self: Arc<Self>, member: Arc<Member>, confirm: Confirm) {
        let node = member.life.node;
        self.world.trace.note(Event::Unconfirmed { node, confirm });
        match confirm {
            Confirm::Ack => {}
            Confirm::Nack => {
                sleep(self.dice.ms(0..BACKOFF_MS)).await;
                self.doubts(&member).await;
            }
            Confirm::Nothing => {
                sleep(LATE).await;
                self.doubts(&member).await;
                sleep(GIVES_UP - LOOKS_WITHIN).await;
                self.set_link(node, Link::Away);
                sleep(self.dice.ms(100..BACKOFF_MS)).await;
                self.set_link(node, Link::Up);
            }
        }
    }

    async fn doubts(&self, member: &Member) {
        member.life.runs().await;
        if self.world.flaw != Some(Flaw::NacksAreNothing) {
            member.state().standing.doubt("a fault of the simulation");
        }
        let Some(before) = member.life.looks() else { return };
        sleep(LOOKS_WITHIN).await;
        if member.life.looks() == Some(before) && !member.state().left {
            let what = format!("{:?} may have missed something, but looks nowhere", member.life.node);
            self.world.oracle.wrong(what, None, None);
        }
    }
}
