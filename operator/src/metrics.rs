//! What the operator counts. Labels come from closed sets only.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

/// Name and help.
type Name = (&'static str, &'static str);

const RECONCILES: Name =
    ("vibetalk_operator_reconciles_total", "Visits to a resource, by what came of them.");
const RECONCILE_SECONDS: Name = ("vibetalk_operator_reconcile_seconds", "Length of a visit.");
const API_WRITES: Name =
    ("vibetalk_operator_api_writes_total", "Writes sent to the API server, by kind and verb.");
const DRIFT_FOUND: Name =
    ("vibetalk_operator_broker_drift_found_total", "Exchanges that were missing in the broker.");
const DRIFT_REPAIRED: Name =
    ("vibetalk_operator_broker_drift_repaired_total", "Missing exchanges that were declared.");
const DRAIN_SECONDS: Name =
    ("vibetalk_operator_drain_seconds", "Time from when a chat node was told to end to its end.");
const VISITS_RUNNING: Name = ("vibetalk_operator_visits_running", "Visits that run now.");
const VISITS_WAITING: Name =
    ("vibetalk_operator_visits_waiting", "Clusters that wait for their turn to be visited.");
const CHANGES_WAITING: Name =
    ("vibetalk_operator_changes_waiting", "Changes of objects and pods that wait to be taken up.");

const SCHEMA_FIELDS_MISSING: Name = (
    "vibetalk_operator_schema_fields_missing",
    "Fields of the resource that the API server's schema lacks: what users write there is dropped.",
);

/// In seconds.
const VISIT_BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const DRAIN_BUCKETS: [f64; 10] = [1.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0];

/// Counters of one operator.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    seconds: Histogram,
    writes: IntCounterVec,
    drift_found: IntCounter,
    drift_repaired: IntCounter,
    drains: Histogram,
    visits_running: IntGauge,
    visits_waiting: IntGauge,
    changes_waiting: IntGauge,
    schema_fields_missing: IntGauge,
}

/// Counted until it is dropped.
#[derive(Debug)]
pub struct Counted(IntGauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Counters at zero.
    ///
    /// # Errors
    /// If two have the same name, which no input can cause.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let at = &registry;
        Ok(Self {
            reconciles: counters(at, RECONCILES, &["result"])?,
            seconds: histogram(at, RECONCILE_SECONDS, &VISIT_BUCKETS)?,
            writes: counters(at, API_WRITES, &["kind", "verb"])?,
            drift_found: counter(at, DRIFT_FOUND)?,
            drift_repaired: counter(at, DRIFT_REPAIRED)?,
            drains: histogram(at, DRAIN_SECONDS, &DRAIN_BUCKETS)?,
            visits_running: gauge(at, VISITS_RUNNING)?,
            visits_waiting: gauge(at, VISITS_WAITING)?,
            changes_waiting: gauge(at, CHANGES_WAITING)?,
            schema_fields_missing: gauge(at, SCHEMA_FIELDS_MISSING)?,
            registry,
        })
    }

    /// A visit begins; it ends with what is returned.
    pub fn visiting(&self) -> Counted {
        counted(&self.visits_running)
    }

    /// A cluster waits for its turn, as long as what is returned lives.
    pub fn waiting(&self) -> Counted {
        counted(&self.visits_waiting)
    }

    /// A chat node has ended, so long after it was told to.
    pub fn drained(&self, took: Duration) {
        self.drains.observe(took.as_secs_f64());
    }

    /// So many changes wait.
    pub fn changes_waiting(&self, count: usize) {
        self.changes_waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The API server's schema lacks so many fields.
    pub fn schema_fields_missing(&self, count: usize) {
        self.schema_fields_missing.set(i64::try_from(count).unwrap_or(i64::MAX));
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

fn counted(gauge: &IntGauge) -> Counted {
    gauge.inc();
    Counted(gauge.clone())
}

fn in_registry<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counters(registry: &Registry, (name, help): Name, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    in_registry(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn counter(registry: &Registry, (name, help): Name) -> prometheus::Result<IntCounter> {
    in_registry(registry, IntCounter::new(name, help)?)
}

fn gauge(registry: &Registry, (name, help): Name) -> prometheus::Result<IntGauge> {
    in_registry(registry, IntGauge::new(name, help)?)
}

fn histogram(registry: &Registry, (name, help): Name, buckets: &[f64]) -> prometheus::Result<Histogram> {
    in_registry(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_shown() {
        let metrics = Metrics::new().unwrap();
        metrics.reconciled("ok", Duration::from_millis(20));
        metrics.write("Service", "apply");
        metrics.drained(Duration::from_secs(7));
        drop(metrics.visiting());
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        assert!(text.contains("vibetalk_operator_reconciles_total{result=\"ok\"} 1"), "{text}");
        assert!(
            text.contains("vibetalk_operator_api_writes_total{kind=\"Service\",verb=\"apply\"} 1"),
            "{text}"
        );
        for line in ["vibetalk_operator_drain_seconds_sum 7", "vibetalk_operator_visits_running 0"] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn the_document_lists_every_metric_as_it_is() {
        let metrics = Metrics::new().unwrap();
        metrics.reconciled("ok", Duration::ZERO);
        metrics.write("Service", "apply");
        let document = include_str!("../METRICS.md");
        let families = metrics.registry.gather();
        for family in &families {
            let labels = family.get_metric().first().map(|one| one.get_label().to_vec()).unwrap_or_default();
            let labels: Vec<_> = labels.iter().map(|label| format!("`{}`", label.name())).collect();
            let kind = format!("{:?}", family.get_field_type()).to_lowercase();
            let row = format!("| `{}` | {kind} | {} | {} |", family.name(), labels.join(", "), family.help());
            assert!(document.contains(&row), "METRICS.md lacks the row\n{row}");
        }
        assert_eq!(document.matches("| `vibetalk_").count(), families.len(), "METRICS.md has a row too many");
    }
}
