//! The cluster tests.

mod autoscaling;
mod chat;
mod connections;
mod deletion;
mod handover;
mod idle;
mod operator_loss;
mod ready;
mod refusal;
mod repair;
mod story;
mod upgrade;

use super::case::{Case, case};
use super::world::World;

/// The test that needs [`crate::monitoring`].
pub const BY_CONNECTIONS: &str =
    "chat nodes follow their connections up and down, and no hand-over loses one";

/// The tests, in the order in which they run.
pub const CASES: &[Case<World>] = &[
    case("the example is Ready and kubectl get vtc shows its columns", 60, |world| {
        Box::pin(ready::columns(world))
    }),
    case("the objects belong to the example and its namespace enforces restricted pods", 60, |world| {
        Box::pin(ready::ownership(world))
    }),
    case("users on different servers chat live through NGINX, and a later one reads it", 120, |world| {
        Box::pin(chat::live_and_history(world))
    }),
    case("messages are in the store with bucket and id in order", 120, |world| {
        Box::pin(chat::stored_in_order(world))
    }),
    case("CPU load scales a cluster up", 420, |world| Box::pin(autoscaling::by_cpu(world))),
    case(BY_CONNECTIONS, 600, |world| Box::pin(connections::followed(world))),
    case("a deleted exchange is back within the poll interval", 90, |world| {
        Box::pin(repair::exchange(world))
    }),
    case("a deleted Service is back at once", 60, |world| Box::pin(repair::service(world))),
    case("a killed operator is replaced and changes nothing", 240, |world| {
        Box::pin(operator_loss::replaced(world))
    }),
    case("an operator that is told to end hands over at once", 180, |world| {
        Box::pin(handover::at_once(world))
    }),
    case("an upgrade of the chart from its previous revision leaves clusters alone", 300, |world| {
        Box::pin(upgrade::from_previous_revision(world))
    }),
    case("an idle minute makes no write", 240, |world| Box::pin(idle::minute(world))),
    case("whatever is done to a cluster, its users lose, double and reorder nothing", 900, |world| {
        Box::pin(story::tell(world))
    }),
    case("deleting a cluster removes its objects and exchanges", 300, |world| {
        Box::pin(deletion::complete(world))
    }),
    case("deletion ends though the broker is gone", 300, |world| Box::pin(deletion::without_broker(world))),
    case("bad fields are refused by the schema", 60, |world| Box::pin(refusal::by_schema(world))),
    case("a missing Secret is reported with its field, and others keep working", 240, |world| {
        Box::pin(refusal::missing_secret(world))
    }),
];
