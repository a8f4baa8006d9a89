//! The node's log: for people on a terminal, for machines (one JSON object a line) otherwise. What belongs to a request or
//! a connection carries its span with `server_id` and `trace_id`. Neither tokens nor what messages say is ever in it.

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;

/// What is logged; `wanted` as in `info,chat_node=debug`.
///
/// # Errors
/// It is no filter.
pub fn filter(wanted: &str) -> Result<EnvFilter, ParseError> {
    // The broker's library calls errors what the bus reports with its reason; whoever wants it can still name it.
    EnvFilter::try_new(format!("lapin=off,{wanted}"))
}

/// Lines for people.
pub fn for_people(filter: EnvFilter) -> impl Subscriber + Send + Sync {
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).finish()
}

/// Lines for machines.
pub fn for_machines<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    builder.json().flatten_event(true).with_span_list(false).finish()
}
