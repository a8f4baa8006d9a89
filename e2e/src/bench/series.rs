//! The runs of a profile, of one program or of two that are compared.

use super::figure::Figure;
use crate::load::{MedianSecond, Quantiles, Report, Role, Talk};

/// The runs of a profile. Those of `other` were made between those of `own`, in pairs.
#[derive(Clone, Debug)]
pub struct Series {
    /// Of the work tree's program.
    pub own: Vec<Report>,
    /// Of the program that it is compared with.
    pub other: Vec<Report>,
}

/// Something that runs are compared by.
#[derive(Clone, Copy)]
pub struct Measure {
    /// What it is called in tables.
    pub name: &'static str,
    /// Takes it from a report.
    pub of: fn(&Report) -> Option<f64>,
}

/// What runs are compared by, in the order of the tables.
pub const MEASURES: [Measure; 27] = [
    Measure { name: "sign-ins/s", of: |report| Some(report.connecting.per_second) },
    Measure { name: "sign-in p99, ms", of: |report| Some(report.connecting.sign_in.p99) },
    Measure { name: "server KiB/user", of: |report| report.connecting.server_kib_per_user },
    Measure { name: "deliveries/s", of: |report| Some(report.traffic.as_ref()?.deliveries_per_second) },
    Measure { name: "ack p50, ms", of: |report| Some(report.traffic.as_ref()?.ack.p50) },
    Measure { name: "ack p99, ms", of: |report| Some(report.traffic.as_ref()?.ack.p99) },
    Measure { name: "delivery p50, ms", of: |report| Some(report.traffic.as_ref()?.delivery.p50) },
    Measure { name: "delivery p99, ms", of: |report| Some(report.traffic.as_ref()?.delivery.p99) },
    Measure { name: "delivery p99.9, ms", of: |report| Some(report.traffic.as_ref()?.delivery.p999) },
    Measure {
        name: "delivery to all, p50, ms",
        of: |report| talk(report, Talk::Official, |times| times.p50),
    },
    Measure {
        name: "delivery to all, p99, ms",
        of: |report| talk(report, Talk::Official, |times| times.p99),
    },
    Measure {
        name: "delivery in groups, p50, ms",
        of: |report| talk(report, Talk::Group, |times| times.p50),
    },
    Measure {
        name: "delivery in groups, p99, ms",
        of: |report| talk(report, Talk::Group, |times| times.p99),
    },
    Measure {
        name: "delivery between two, p50, ms",
        of: |report| talk(report, Talk::Direct, |times| times.p50),
    },
    Measure {
        name: "delivery between two, p99, ms",
        of: |report| talk(report, Talk::Direct, |times| times.p99),
    },
    Measure { name: "p50 of the median second, ms", of: |report| Some(median_second(report)?.p50) },
    Measure { name: "p99 of the median second, ms", of: |report| Some(median_second(report)?.p99) },
    Measure { name: "last reader p99, ms", of: |report| Some(report.traffic.as_ref()?.last_reader.p99) },
    Measure {
        name: "back after a lost connection, p50, ms",
        of: |report| come_back(report, |back| back.p50),
    },
    Measure {
        name: "back after a lost connection, p99, ms",
        of: |report| come_back(report, |back| back.p99),
    },
    Measure { name: "server CPU µs/delivery", of: |report| report.traffic.as_ref()?.server_us_per_delivery },
    Measure { name: "CPU of chat nodes, % of a core", of: |report| cpu(report, Role::Server) },
    Measure { name: "CPU of RabbitMQ", of: |report| cpu(report, Role::Broker) },
    Measure { name: "CPU of the store", of: |report| cpu(report, Role::Store) },
    Measure { name: "CPU of NGINX", of: |report| cpu(report, Role::Proxy) },
    Measure { name: "CPU of Kubernetes and the operator", of: |report| cpu(report, Role::Kubernetes) },
    Measure { name: "CPU of the generator", of: |report| cpu(report, Role::Generator) },
];

/// Of a kind of talk, where there are several.
fn talk(report: &Report, talk: Talk, of: fn(&Quantiles) -> f64) -> Option<f64> {
    let talks = &report.traffic.as_ref()?.talk;
    talks.get(&talk).filter(|_| talks.len() > 1).map(of)
}

fn median_second(report: &Report) -> Option<MedianSecond> {
    report.traffic.as_ref()?.median_second
}

fn come_back(report: &Report, of: fn(&Quantiles) -> f64) -> Option<f64> {
    (report.come_back.count > 0).then(|| of(&report.come_back))
}

/// What the processes of a role used while messages were sent.
fn cpu(report: &Report, role: Role) -> Option<f64> {
    Some(report.traffic.as_ref()?.usage.roles.get(&role)?.cpu_percent)
}

impl Series {
    /// A measure of the work tree's program.
    pub fn own(&self, measure: &Measure) -> Option<Figure> {
        Figure::of(self.own.iter().filter_map(measure.of))
    }

    /// A measure of the other program.
    pub fn other(&self, measure: &Measure) -> Option<Figure> {
        Figure::of(self.other.iter().filter_map(measure.of))
    }

    /// By how much the work tree's program differs from the other: of each pair own divided by other. What changes on the
    /// machine between pairs does not show in it.
    pub fn ratio(&self, measure: &Measure) -> Option<Figure> {
        let pairs = self.own.iter().zip(&self.other);
        let ratio = |(own, other)| {
            let (own, other) = ((measure.of)(own)?, (measure.of)(other)?);
            (other != 0.0).then(|| own / other)
        };
        Figure::of(pairs.filter_map(ratio))
    }
}
