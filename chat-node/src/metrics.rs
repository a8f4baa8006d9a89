//! What the node counts and measures. Every name begins with `vibetalk_`; `METRICS.md` lists them with their help texts,
//! and a test keeps it equal.

mod names;

use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use self::names::*;
use crate::error::{CloseReason, ErrorCode};

/// Buckets of the times of appends and deliveries, in seconds.
const LATENCY_BUCKETS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// All metrics of a node.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Clients that wait for their turn to be signed in.
    pub sign_ins_waiting: IntGauge,
    /// Messages stored for clients of this node.
    pub sent: IntCounter,
    /// Event frames queued for clients of this node.
    pub delivered: IntCounter,
    /// Typing and presence frames that slow clients did not get.
    pub ephemeral_dropped: IntCounter,
    /// Time from the command to the store's answer.
    pub append_seconds: Histogram,
    /// Time from a message's own to that of its delivery.
    pub delivery_seconds: Histogram,
    /// Envelopes that came over the bus.
    pub received: IntCounter,
    /// Envelopes of another version.
    pub unreadable: IntCounter,
    /// Entries read from the store because they did not come over the bus.
    pub gaps_filled: IntCounter,
    /// Bytes that wait for the broker's confirm.
    pub publish_queue_bytes: IntGauge,
    /// Connections made to the broker.
    pub broker_connects: IntCounter,
    /// 1 while the broker is away.
    pub degraded: IntGauge,
    /// This machine's clock minus the store's.
    pub clock_skew_seconds: Gauge,
    /// The leased server id.
    pub server_id: IntGauge,
    /// Times that all was known of a group that somebody asked about.
    pub view_hits: IntCounter,
    /// Times that something had to be read.
    pub view_misses: IntCounter,
    /// Bytes that wait to be written to clients.
    pub send_queue_bytes: IntGauge,
    /// 1 if the store answered last time.
    pub store_reachable: IntGauge,
    /// 1 if the broker answered last time.
    pub broker_reachable: IntGauge,
    connections: IntGaugeVec,
    closed: IntCounterVec,
    refused: IntCounterVec,
    requests_refused: IntCounterVec,
    keys_fetched: IntCounterVec,
    publish_failures: IntCounterVec,
}

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Over a WebSocket.
    WebSocket,
    /// By an event stream.
    EventStream,
    /// By a poll that is held.
    Poll,
}

impl Transport {
    const ALL: [Self; 3] = [Self::WebSocket, Self::EventStream, Self::Poll];

    fn label(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::EventStream => "event_stream",
            Self::Poll => "poll",
        }
    }
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Done,
    /// With an error.
    Failed,
}

impl Outcome {
    const ALL: [Self; 2] = [Self::Done, Self::Failed];

    /// The outcome that a result is.
    pub fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Done } else { Self::Failed }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// Why something could not be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishFailure {
    /// There is no connection to the broker.
    Away,
    /// Too much waits to be published already.
    WindowFull,
    /// The broker says that not every queue has it.
    Nack,
    /// The connection ended before the broker confirmed.
    Unconfirmed,
}

impl PublishFailure {
    const ALL: [Self; 4] = [Self::Away, Self::WindowFull, Self::Nack, Self::Unconfirmed];

    fn label(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::WindowFull => "window_full",
            Self::Nack => "nack",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

impl Metrics {
    /// A registry of its own with every metric at zero.
    ///
    /// # Errors
    /// Two metrics have one name.
    pub fn new() -> prometheus::Result<Self> {
        let make = Maker(Registry::new());
        let metrics = Self {
            connections: make.gauges(CONNECTIONS, "transport")?,
            sign_ins_waiting: make.gauge(SIGN_INS_WAITING)?,
            sent: make.counter(SENT)?,
            delivered: make.counter(DELIVERED)?,
            ephemeral_dropped: make.counter(EPHEMERAL_DROPPED)?,
            append_seconds: make.histogram(APPEND_SECONDS)?,
            delivery_seconds: make.histogram(DELIVERY_SECONDS)?,
            received: make.counter(RECEIVED)?,
            unreadable: make.counter(UNREADABLE)?,
            gaps_filled: make.counter(GAPS_FILLED)?,
            publish_queue_bytes: make.gauge(PUBLISH_QUEUE_BYTES)?,
            broker_connects: make.counter(BROKER_CONNECTS)?,
            degraded: make.gauge(DEGRADED)?,
            clock_skew_seconds: make.float_gauge(CLOCK_SKEW_SECONDS)?,
            server_id: make.gauge(SERVER_ID)?,
            view_hits: make.counter(VIEW_HITS)?,
            view_misses: make.counter(VIEW_MISSES)?,
            send_queue_bytes: make.gauge(SEND_QUEUE_BYTES)?,
            store_reachable: make.gauge(STORE_REACHABLE)?,
            broker_reachable: make.gauge(BROKER_REACHABLE)?,
            closed: make.counters(CLOSED, "reason")?,
            refused: make.counters(REFUSED, "code")?,
            requests_refused: make.counters(REQUESTS_REFUSED, "code")?,
            keys_fetched: make.counters(KEYS_FETCHED, "outcome")?,
            publish_failures: make.counters(PUBLISH_FAILURES, "reason")?,
            registry: make.0.clone(),
        };
        make.info()?;
        metrics.begin();
        Ok(metrics)
    }

    /// A label that is there from the start makes the first failure visible as an increase.
    fn begin(&self) {
        self.server_id.set(-1);
        for reason in PublishFailure::ALL {
            self.publish_failures.with_label_values(&[reason.label()]);
        }
        for reason in CloseReason::ALL {
            self.closed.with_label_values(&[reason.text()]);
        }
        for code in ErrorCode::ALL {
            self.refused.with_label_values(&[code.as_str()]);
            self.requests_refused.with_label_values(&[code.as_str()]);
        }
        for outcome in Outcome::ALL {
            self.keys_fetched.with_label_values(&[outcome.label()]);
        }
        for transport in Transport::ALL {
            self.connections(transport);
        }
    }

    /// Open connections over a transport.
    pub fn connections(&self, transport: Transport) -> IntGauge {
        self.connections.with_label_values(&[transport.label()])
    }

    /// Counts a connection that the server closed.
    pub fn closed(&self, reason: CloseReason) {
        self.closed.with_label_values(&[reason.text()]).inc();
    }

    /// Counts a refused send.
    pub fn refused(&self, code: ErrorCode) {
        self.refused.with_label_values(&[code.as_str()]).inc();
    }

    /// Counts a refused request.
    pub fn request_refused(&self, code: ErrorCode) {
        self.requests_refused.with_label_values(&[code.as_str()]).inc();
    }

    /// Counts a fetch of the keys that tokens are verified with.
    pub fn keys_fetched(&self, outcome: Outcome) {
        self.keys_fetched.with_label_values(&[outcome.label()]).inc();
    }

    /// Counts publishes that some node may have missed.
    pub fn publish_failed(&self, reason: PublishFailure, count: usize) {
        self.publish_failures.with_label_values(&[reason.label()]).inc_by(count as u64);
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// A metric cannot be written as text.
    pub fn render(&self) -> prometheus::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

struct Maker(Registry);

impl Maker {
    fn gauge(&self, (name, help): Name) -> prometheus::Result<IntGauge> {
        let gauge = IntGauge::with_opts(opts((name, help)))?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn gauges(&self, (name, help): Name, label: &str) -> prometheus::Result<IntGaugeVec> {
        let gauges = IntGaugeVec::new(opts((name, help)), &[label])?;
        self.0.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    fn float_gauge(&self, (name, help): Name) -> prometheus::Result<Gauge> {
        let gauge = Gauge::with_opts(opts((name, help)))?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn counter(&self, (name, help): Name) -> prometheus::Result<IntCounter> {
        let counter = IntCounter::with_opts(opts((name, help)))?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn counters(&self, (name, help): Name, label: &str) -> prometheus::Result<IntCounterVec> {
        let counters = IntCounterVec::new(opts((name, help)), &[label])?;
        self.0.register(Box::new(counters.clone()))?;
        Ok(counters)
    }

    fn histogram(&self, (name, help): Name) -> prometheus::Result<Histogram> {
        let opts = HistogramOpts::from(opts((name, help))).buckets(LATENCY_BUCKETS.to_vec());
        let histogram = Histogram::with_opts(opts)?;
        self.0.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }

    fn info(&self) -> prometheus::Result<()> {
        let info = opts(BUILD_INFO).const_label("version", env!("CARGO_PKG_VERSION"));
        let gauge = IntGauge::with_opts(info)?;
        gauge.set(1);
        self.0.register(Box::new(gauge))
    }
}

fn opts((name, help): Name) -> Opts {
    Opts::new(name, help).namespace("vibetalk")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../METRICS.md");

    #[test]
    fn the_document_lists_every_metric_as_it_is() {
        let families = Metrics::new().unwrap().registry.gather();
        for family in &families {
            assert!(
                family.name().starts_with("vibetalk_") && family.help().ends_with('.'),
                "{}",
                family.name()
            );
            let labels =
                family.get_metric().first().map(|metric| metric.get_label().to_vec()).unwrap_or_default();
            let labels: Vec<_> = labels.iter().map(|label| format!("`{}`", label.name())).collect();
            let kind = format!("{:?}", family.get_field_type()).to_lowercase();
            let row = format!("| `{}` | {kind} | {} | {} |", family.name(), labels.join(", "), family.help());
            assert!(DOCUMENT.contains(&row), "METRICS.md lacks the row\n{row}");
        }
        assert_eq!(DOCUMENT.matches("| `vibetalk_").count(), families.len(), "METRICS.md has a row too many");
    }

    #[test]
    fn the_autoscaler_finds_the_connections_by_their_name() {
        let metrics = Metrics::new().unwrap();
        metrics.connections(Transport::WebSocket).inc();
        let series = format!("{}{{", crds::node::CONNECTIONS_METRIC);
        assert!(metrics.render().unwrap().contains(&series));
    }

    #[test]
    fn failures_are_counted_by_their_reason() {
        let metrics = Metrics::new().unwrap();
        metrics.publish_failed(PublishFailure::Nack, 2);
        metrics.closed(CloseReason::Slow);
        let text = metrics.render().unwrap();
        assert!(text.contains(r#"vibetalk_publish_failures_total{reason="nack"} 2"#), "{text}");
        let slow = format!(r#"vibetalk_connections_closed_total{{reason="{}"}} 1"#, CloseReason::Slow.text());
        assert!(text.contains(&slow), "{text}");
    }
}
