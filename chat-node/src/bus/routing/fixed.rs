//! Routing that binds nothing while users come and go.

use crds::TopologyPlan;

use super::{Exchange, Key, Route, Routing, Topic};
use crate::bus::Audience;

/// An envelope is published once, on its channel's partition, and every node takes every partition. What is for users
/// goes over the control exchange.
#[derive(Debug)]
pub(super) struct Fixed;

impl Routing for Fixed {
    fn routes(&self, plan: TopologyPlan, audience: Audience<'_>) -> Vec<Route> {
        match audience {
            Audience::Channel { id, .. } => {
                vec![Route { exchange: Exchange::of_key(plan, &id.to_string()), key: Key::All }]
            }
            Audience::Users([]) => Vec::new(),
            Audience::Everyone | Audience::Users(_) => vec![Route::CONTROL],
        }
    }

    fn binding(&self, _: TopologyPlan, _: &Topic) -> Option<Route> {
        None
    }

    fn standing(&self, plan: TopologyPlan) -> Vec<Route> {
        Exchange::all(plan).map(|exchange| Route { exchange, key: Key::All }).collect()
    }
}
