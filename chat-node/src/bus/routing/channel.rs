//! Routing by channel.

use crds::TopologyPlan;

use super::{Route, Routing, Topic};
use crate::bus::Audience;

/// An envelope is published once, with the channel's id as key, on the channel's partition. What is for users goes to
/// every node: it is rare.
#[derive(Debug)]
pub(super) struct ByChannel;

impl Routing for ByChannel {
    fn routes(&self, plan: TopologyPlan, audience: Audience<'_>) -> Vec<Route> {
        match audience {
            Audience::Channel { id, .. } => vec![Route::to(plan, Topic::Channel(id))],
            Audience::Users([]) => Vec::new(),
            Audience::Everyone | Audience::Users(_) => vec![Route::CONTROL],
        }
    }

    fn binding(&self, plan: TopologyPlan, topic: &Topic) -> Option<Route> {
        match topic {
            Topic::Channel(_) => Some(Route::to(plan, topic.clone())),
            Topic::User(_) => None,
        }
    }

    fn standing(&self, _: TopologyPlan) -> Vec<Route> {
        Vec::new()
    }
}
