//! The cluster's exchanges in the broker.

use super::BrokerState;
use crate::cluster::Cluster;
use crate::rabbitmq::{Access, Management};
use crate::reconcile::Context;

pub(super) async fn observe(
    ctx: &Context,
    cluster: &Cluster,
    access: Option<Access>,
) -> (Option<Management>, BrokerState) {
    let Some(access) = access else { return (None, BrokerState::NotAsked) };
    let management = Management::new(ctx.http.clone(), access);
    let key = cluster.key();
    let state = match management.exchanges(&key.prefix()).await {
        Ok(exchanges) => BrokerState::Exchanges(
            exchanges.into_iter().filter(|exchange| key.owns(&exchange.name)).collect(),
        ),
        Err(error) => BrokerState::Failed(error),
    };
    (Some(management), state)
}
