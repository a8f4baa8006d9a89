//! Routing by user.

use crds::TopologyPlan;

use super::{Route, Routing, Topic, USER_ROUTING_MEMBERS_MAX};
use crate::bus::Audience;

/// An envelope is published once per member, with the member's id as key, on the member's partition.
#[derive(Debug)]
pub(super) struct ByUser;

impl Routing for ByUser {
    fn routes(&self, plan: TopologyPlan, audience: Audience<'_>) -> Vec<Route> {
        match audience {
            Audience::Users(users) | Audience::Channel { members: users, .. }
                if users.len() <= USER_ROUTING_MEMBERS_MAX =>
            {
                users.iter().map(|user| Route::to(plan, Topic::User(user.clone()))).collect()
            }
            Audience::Everyone | Audience::Users(_) | Audience::Channel { .. } => vec![Route::CONTROL],
        }
    }

    fn binding(&self, plan: TopologyPlan, topic: &Topic) -> Option<Route> {
        match topic {
            Topic::User(_) => Some(Route::to(plan, topic.clone())),
            Topic::Channel(_) => None,
        }
    }

    fn standing(&self, _: TopologyPlan) -> Vec<Route> {
        Vec::new()
    }
}
