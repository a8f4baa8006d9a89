//! Changes exchanges in the broker, one after the other, up to the first failure.

use super::Outcome;
use crate::plan::BrokerAction;
use crate::rabbitmq::Management;
use crate::reconcile::Context;

pub(super) async fn act(
    ctx: &Context,
    actions: &[BrokerAction],
    broker: Option<&Management>,
    outcome: &mut Outcome,
) {
    let Some(broker) = broker else { return };
    for action in actions {
        let result = match action {
            BrokerAction::Declare(exchange) => {
                ctx.metrics.drift_found();
                tracing::info!(exchange = exchange.name, "declaring");
                broker.declare(exchange).await.map(|()| {
                    ctx.metrics.drift_repaired();
                    outcome.declared.push(exchange.name.clone());
                })
            }
            BrokerAction::Delete(name) => {
                tracing::info!(exchange = name, "deleting");
                broker.delete(name).await
            }
        };
        if let Err(error) = result {
            outcome.broker_failure = Some(error);
            return;
        }
    }
}
