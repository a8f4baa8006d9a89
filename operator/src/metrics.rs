//! What the operator counts. Labels come from closed sets only.

use std::time::Duration;

use prometheus::{Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry, TextEncoder};

/// Counters of one operator.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    seconds: Histogram,
    writes: IntCounterVec,
    drift_found: IntCounter,
    drift_repaired: IntCounter,
}

impl Metrics {
    /// Counters at zero.
    ///
    /// # Errors
    /// If two have the same name, which no input can cause.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let reconciles = IntCounterVec::new(
            Opts::new("vibetalk_operator_reconciles_total", "Visits to a resource, by what came of them."),
            &["result"],
        )?;
        let seconds = Histogram::with_opts(
            HistogramOpts::new("vibetalk_operator_reconcile_seconds", "Length of a visit.")
                .buckets(vec![0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]),
        )?;
        let writes = IntCounterVec::new(
            Opts::new("vibetalk_operator_api_writes_total", "Writes sent to the API server."),
            &["kind", "verb"],
        )?;
        let drift_found = IntCounter::new(
            "vibetalk_operator_broker_drift_found_total",
            "Exchanges that were missing in the broker.",
        )?;
        let drift_repaired = IntCounter::new(
            "vibetalk_operator_broker_drift_repaired_total",
            "Missing exchanges that were declared.",
        )?;
        registry.register(Box::new(reconciles.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(writes.clone()))?;
        registry.register(Box::new(drift_found.clone()))?;
        registry.register(Box::new(drift_repaired.clone()))?;
        Ok(Self { registry, reconciles, seconds, writes, drift_found, drift_repaired })
    }

    /// A visit has ended.
    pub fn reconciled(&self, result: &str, took: Duration) {
        self.reconciles.with_label_values(&[result]).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// A write is sent to the API server.
    pub fn write(&self, kind: &str, verb: &str) {
        self.writes.with_label_values(&[kind, verb]).inc();
    }

    /// An exchange is missing.
    pub fn drift_found(&self) {
        self.drift_found.inc();
    }

    /// It is declared.
    pub fn drift_repaired(&self) {
        self.drift_repaired.inc();
    }

    /// All of it in Prometheus' text format.
    ///
    /// # Errors
    /// If it cannot be written down, which no input can cause.
    pub fn text(&self) -> prometheus::Result<Vec<u8>> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_shown() {
        let metrics = Metrics::new().unwrap();
        metrics.reconciled("ok", Duration::from_millis(20));
        metrics.write("Service", "apply");
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        assert!(text.contains("vibetalk_operator_reconciles_total{result=\"ok\"} 1"), "{text}");
        assert!(
            text.contains("vibetalk_operator_api_writes_total{kind=\"Service\",verb=\"apply\"} 1"),
            "{text}"
        );
    }
}
