//! RabbitMQ's management API, as far as the operator needs it. Every call has a deadline and a typed error.
//!
//! Source: `https://www.rabbitmq.com/docs/http-api-reference`.

mod access;
mod call;
mod error;
mod exchange;
mod node;
mod queue;
mod survey;

pub use access::Access;
pub use call::Management;
pub use error::BrokerError;
pub use exchange::Exchange;
pub use node::Node;
pub use queue::Queue;
pub use survey::{Change, NODE_AWAY, SURVEY_AGE, Survey, Surveys};
