//! The cluster's exchanges in the broker, and how the broker is.

use super::{BrokerHealth, BrokerState};
use crate::cluster::Cluster;
use crate::rabbitmq::{Access, BrokerError, Management, Survey};
use crate::reconcile::Context;

pub(super) async fn observe(
    ctx: &Context,
    cluster: &Cluster,
    access: Option<Access>,
) -> (Option<Management>, BrokerState, BrokerHealth) {
    let Some(access) = access else { return (None, BrokerState::NotAsked, BrokerHealth::default()) };
    let management = Management::new(ctx.http.clone(), access);
    if cluster.deleted_at.is_some() {
        // What is not seen now stays for ever.
        ctx.surveys.doubt(&management);
    }
    let (state, health) = match seen(ctx, cluster, &management).await {
        Ok((exchanges, health)) => (BrokerState::Exchanges(exchanges), health),
        Err(error) => (BrokerState::Failed(error), BrokerHealth::default()),
    };
    (Some(management), state, health)
}

async fn seen(
    ctx: &Context,
    cluster: &Cluster,
    management: &Management,
) -> Result<(Vec<crate::rabbitmq::Exchange>, BrokerHealth), BrokerError> {
    let key = cluster.key();
    let part = |survey: &Survey| {
        let health = BrokerHealth {
            nodes: survey.nodes.clone(),
            refuses: survey.refuses.clone(),
            stranded: survey.stranded.clone(),
        };
        (survey.exchanges(&key.prefix()), health)
    };
    let (mut exchanges, mut health) = ctx.surveys.see(management, part).await?;
    exchanges.retain(|exchange| key.owns(&exchange.name));
    if !health.stranded.is_empty() {
        // A queue's name does not tell its cluster: what it is bound to does.
        let own = match management.bound_to(&key.control()).await {
            Err(BrokerError::Refused { .. }) => Vec::new(),
            other => other?,
        };
        health.stranded.retain(|queue| own.contains(queue));
    }
    Ok((exchanges, health))
}
