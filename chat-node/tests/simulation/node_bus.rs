//! The bus as one node has it.

use std::sync::Arc;

use async_trait::async_trait;
use chat_node::bus::{Audience, Bus, Envelope, Notice, Received, Topic, routing};
use chat_node::ids::{ChannelId, UserId};
use crds::node::Dependency;
use crds::topology::TopologyFault;
use crds::{RoutingMode, TopologyOrder};

use crate::confirms::Confirm;
use crate::flaw::Flaw;
use crate::life::Life;
use crate::network::{Link, Member, Network};

#[derive(Debug)]
pub struct NodeBus {
    network: Arc<Network>,
    member: Arc<Member>,
}

impl NodeBus {
    pub fn new(network: &Arc<Network>, member: Arc<Member>) -> Arc<Self> {
        Arc::new(Self { network: Arc::clone(network), member })
    }

    /// Publishes, whether or not the node has come so far.
    pub fn tell(&self, envelope: &Envelope, audience: Audience<'_>) {
        let plan = {
            let state = self.member.state();
            state.publishing().filter(|_| state.link != Link::Away)
        };
        let Some(plan) = plan else { return };
        let (confirm, passes) = self.network.answer();
        if passes {
            let routes = routing::of(plan.routing).routes(plan, audience);
            self.network.publish(self.life().node, envelope, &routes);
        }
        if confirm != Confirm::Ack {
            tokio::spawn(Arc::clone(&self.network).unconfirmed(Arc::clone(&self.member), confirm));
            if self.network.world.flaw == Some(Flaw::NacksAreRepeated) {
                self.hand_over(envelope, audience);
            }
        }
    }

    /// Takes what the node publishes, which it does once.
    fn hand_over(&self, envelope: &Envelope, audience: Audience<'_>) {
        if let Notice::Entry { entry, .. } = &envelope.notice {
            self.network.world.oracle.published(entry, self.life().node);
        }
        self.tell(envelope, audience);
    }

    /// Whether an order holds; where it does not, it is given.
    pub fn obeys(&self, order: &TopologyOrder) -> bool {
        let holds = self.member.state().topology == *order;
        // A node that refuses would be told again and again, and the run would not settle.
        holds || self.order(order.clone()).is_err()
    }

    fn want(&self, topic: Topic) {
        if self.member.state().want(&topic) {
            self.rebind(topic);
        }
    }

    fn unwant(&self, topic: Topic) {
        if self.member.state().unwant(&topic) {
            self.rebind(topic);
        }
    }

    fn rebind(&self, topic: Topic) {
        self.network.soon(&self.member, move |member| {
            let listens = member.state().rebind(&topic);
            if listens {
                member.give(Received::Listening(vec![topic]));
            }
        });
    }

    fn life(&self) -> &Life {
        &self.member.life
    }
}

#[async_trait]
impl Bus for NodeBus {
    fn publish(&self, envelope: &Envelope, audience: Audience<'_>) {
        if self.life().step_now() {
            self.hand_over(envelope, audience);
        }
    }

    fn attach(&self, user: &UserId) {
        self.want(Topic::User(user.clone()));
    }

    fn detach(&self, user: &UserId) {
        self.unwant(Topic::User(user.clone()));
    }

    fn follow(&self, channel: ChannelId) {
        self.want(Topic::Channel(channel));
    }

    fn unfollow(&self, channel: ChannelId) {
        self.unwant(Topic::Channel(channel));
    }

    fn routing(&self) -> RoutingMode {
        self.member.state().publishing().map(|plan| plan.routing).unwrap_or_default()
    }

    fn health(&self) -> Dependency {
        self.member.state().standing.health()
    }

    fn epochs(&self) -> Vec<u32> {
        self.member.state().topology.listen.iter().map(|plan| plan.epoch).collect()
    }

    fn publishing(&self) -> Option<u32> {
        self.member.state().publishing().map(|plan| plan.epoch)
    }

    fn order(&self, order: TopologyOrder) -> Result<(), TopologyFault> {
        order.check_after(&self.member.state().topology)?;
        self.network.soon(&self.member, move |member| {
            let mut state = member.state();
            state.topology = order;
            state.bind_all();
        });
        Ok(())
    }

    async fn leave(&self) {
        self.life().runs().await;
        self.member.state().left = true;
    }
}
