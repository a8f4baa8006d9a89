//! The bus of nodes in one process: of a single node, and of tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crds::node::Dependency;
use tokio::sync::mpsc;

use super::wanted::Wanted;
use super::{Audience, Bus, Envelope, RECEIVED_MAX, Received};
use crate::ids::UserId;

/// What the nodes of one process share.
#[derive(Clone, Debug, Default)]
pub struct InProcessBroker(Arc<Mutex<Vec<Weak<Member>>>>);

/// One node's bus.
#[derive(Debug)]
pub struct InProcess {
    broker: InProcessBroker,
    member: Arc<Member>,
}

#[derive(Debug)]
struct Member {
    wanted: Mutex<Wanted>,
    received: mpsc::Sender<Received>,
}

impl InProcessBroker {
    /// A bus for one more node, and what it receives.
    pub fn join(&self) -> (InProcess, mpsc::Receiver<Received>) {
        let (sender, receiver) = mpsc::channel(RECEIVED_MAX);
        let member = Arc::new(Member { wanted: Mutex::default(), received: sender });
        member.give(Received::Connected);
        let mut members = self.members();
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(&member));
        drop(members);
        (InProcess { broker: self.clone(), member }, receiver)
    }

    fn members(&self) -> MutexGuard<'_, Vec<Weak<Member>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bus for InProcess {
    fn publish(&self, envelope: &Envelope) {
        let members: Vec<_> = self.broker.members().iter().filter_map(Weak::upgrade).collect();
        for member in members {
            if member.wants(envelope.audience()) {
                member.give(Received::Envelope(envelope.clone()));
            }
        }
    }

    fn attach(&self, user: &UserId) {
        self.member.wanted().attach(user);
        self.member.give(Received::Attached(vec![user.clone()]));
    }

    fn detach(&self, user: &UserId) {
        self.member.wanted().detach(user);
    }

    fn health(&self) -> Dependency {
        Dependency::Reachable
    }

    fn epochs(&self) -> Vec<u32> {
        Vec::new()
    }
}

impl Member {
    fn wants(&self, audience: Audience<'_>) -> bool {
        match audience {
            Audience::Everyone => true,
            Audience::Users(users) => {
                let wanted = self.wanted();
                users.iter().any(|user| wanted.contains(user))
            }
        }
    }

    /// A node that does not keep up misses it, as it would with a broker.
    fn give(&self, received: Received) {
        if self.received.try_send(received).is_err() {
            tracing::debug!("a node of this process takes no more envelopes for now");
        }
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
