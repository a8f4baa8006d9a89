//! What the node counts and measures. Every name begins with `vibetalk_`; the help texts are the documentation.

use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};

use crate::error::{CloseReason, ErrorCode};

/// Buckets of the time that an append takes, in seconds.
const APPEND_BUCKETS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// All metrics of a node.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Open connections: WebSockets, event streams and polls.
    pub connections: IntGauge,
    /// Messages stored for clients of this node.
    pub sent: IntCounter,
    /// Event frames queued for clients of this node.
    pub delivered: IntCounter,
    /// Typing and presence frames that slow clients did not get.
    pub ephemeral_dropped: IntCounter,
    /// Time from the command to the store's answer.
    pub append_seconds: Histogram,
    /// Envelopes that came over the bus.
    pub received: IntCounter,
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
    closed: IntCounterVec,
    refused: IntCounterVec,
    requests_refused: IntCounterVec,
    keys_fetched: IntCounterVec,
    publish_failures: IntCounterVec,
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
            connections: make
                .gauge("connections", "Open client connections: WebSockets, event streams and held polls.")?,
            sent: make.counter("messages_sent_total", "Messages stored for clients of this node.")?,
            delivered: make
                .counter("messages_delivered_total", "Event frames queued for clients of this node.")?,
            ephemeral_dropped: make.counter(
                "ephemeral_dropped_total",
                "Typing and presence frames that were dropped because their client read too slowly.",
            )?,
            append_seconds: make.histogram(
                "append_duration_seconds",
                "Time from a client's send to the store's answer, in seconds.",
            )?,
            received: make.counter("envelopes_received_total", "Envelopes that came over the bus.")?,
            gaps_filled: make.counter(
                "gaps_filled_total",
                "Entries read from the store because they had not come over the bus.",
            )?,
            publish_queue_bytes: make.gauge(
                "publish_queue_bytes",
                "Bytes that wait to be published or to be confirmed by the broker.",
            )?,
            broker_connects: make.counter("broker_connects_total", "Connections made to the broker.")?,
            degraded: make
                .gauge("degraded", "1 while the broker is away and the store is polled instead, else 0.")?,
            clock_skew_seconds: make.float_gauge(
                "clock_skew_seconds",
                "This machine's clock minus the store's, in seconds; more than 5 either way is not ready.",
            )?,
            server_id: make.gauge("server_id", "The leased server id, 0 to 1023; -1 while there is none.")?,
            view_hits: make.counter(
                "view_hits_total",
                "Questions about a group that the node could answer by itself.",
            )?,
            view_misses: make
                .counter("view_misses_total", "Questions about a group that the store had to be asked.")?,
            closed: make.counters(
                "connections_closed_total",
                "Connections that the server closed, by reason.",
                "reason",
            )?,
            refused: make.counters("refused_total", "Sends that were refused, by code.", "code")?,
            requests_refused: make.counters(
                "requests_refused_total",
                "REST requests that were refused, by code.",
                "code",
            )?,
            keys_fetched: make.counters(
                "token_key_fetches_total",
                "Fetches of the keys that tokens are verified with, by outcome: `done` or `failed`.",
                "outcome",
            )?,
            publish_failures: make.counters(
                "publish_failures_total",
                "Publishes that some node may have missed and finds in the store instead, by reason.",
                "reason",
            )?,
            registry: make.0.clone(),
        };
        make.info()?;
        metrics.server_id.set(-1);
        // A label that is there from the start makes the first failure visible as an increase.
        for reason in PublishFailure::ALL {
            metrics.publish_failures.with_label_values(&[reason.label()]);
        }
        for reason in CloseReason::ALL {
            metrics.closed.with_label_values(&[reason.text()]);
        }
        Ok(metrics)
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
    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        let gauge = IntGauge::with_opts(opts(name, help))?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn float_gauge(&self, name: &str, help: &str) -> prometheus::Result<Gauge> {
        let gauge = Gauge::with_opts(opts(name, help))?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        let counter = IntCounter::with_opts(opts(name, help))?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn counters(&self, name: &str, help: &str, label: &str) -> prometheus::Result<IntCounterVec> {
        let counters = IntCounterVec::new(opts(name, help), &[label])?;
        self.0.register(Box::new(counters.clone()))?;
        Ok(counters)
    }

    fn histogram(&self, name: &str, help: &str) -> prometheus::Result<Histogram> {
        let opts = HistogramOpts::from(opts(name, help)).buckets(APPEND_BUCKETS.to_vec());
        let histogram = Histogram::with_opts(opts)?;
        self.0.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }

    fn info(&self) -> prometheus::Result<()> {
        let info = opts("build_info", "Always 1; the label tells the version.")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        let gauge = IntGauge::with_opts(info)?;
        gauge.set(1);
        self.0.register(Box::new(gauge))
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("vibetalk")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_the_prefix_and_a_help_text() {
        let metrics = Metrics::new().unwrap();
        metrics.closed(CloseReason::Slow);
        metrics.refused(ErrorCode::RateLimited);
        metrics.publish_failed(PublishFailure::Nack, 2);
        let text = metrics.render().unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        for name in names.filter_map(|line| line.split(' ').next()) {
            assert!(name.starts_with("vibetalk_"), "{name}");
            let help = text.lines().find_map(|line| line.strip_prefix(&format!("# HELP {name} ")));
            assert!(help.is_some_and(|help| help.ends_with('.')), "{name}: {help:?}");
        }
        assert!(text.contains(r#"vibetalk_publish_failures_total{reason="nack"} 2"#), "{text}");
        assert!(text.contains("vibetalk_append_duration_seconds_bucket"));
    }
}
