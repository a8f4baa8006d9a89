//! Changes the broker, one thing after the other, up to the first failure.

use super::Outcome;
use crate::plan::BrokerAction;
use crate::rabbitmq::{BrokerError, Change, Management};
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
                    Change::Declared(exchange.clone())
                })
            }
            BrokerAction::Delete(name) => {
                tracing::info!(exchange = name, "deleting");
                broker.delete(name).await.map(|()| Change::Deleted(name.clone()))
            }
            BrokerAction::Reap(queue) => {
                tracing::info!(queue, "deleting a queue whose node of the broker does not run");
                broker.delete_queue(queue).await.map(|()| Change::Reaped(queue.clone()))
            }
        };
        match result {
            Ok(change) => ctx.surveys.note(broker, change),
            Err(error) => return failed(ctx, broker, error, outcome),
        }
    }
}

/// Deletes exchanges that nobody needs any more. One that is still bound stays, and the next visit tries it again.
pub(super) async fn retire(
    ctx: &Context,
    names: &[String],
    broker: Option<&Management>,
    outcome: &mut Outcome,
) {
    let Some(broker) = broker else { return };
    for name in names {
        tracing::info!(exchange = name, "deleting unless it is bound");
        match broker.delete_unused(name).await {
            Ok(()) => ctx.surveys.note(broker, Change::Deleted(name.clone())),
            Err(BrokerError::InUse { exchange }) => outcome.in_use.push(exchange),
            Err(error) => return failed(ctx, broker, error, outcome),
        }
    }
}

/// Nobody knows whether it was done.
fn failed(ctx: &Context, broker: &Management, error: BrokerError, outcome: &mut Outcome) {
    ctx.surveys.doubt(broker);
    outcome.broker_failure = Some(error);
}
