//! What was asked of the API server about the operator's kinds, by the API server's own count. Beside the operator only
//! this program asks: it makes the clusters, which the operator never does.

use std::collections::BTreeMap;

use kube::Client;

/// What the operator reads or writes.
const RESOURCES: [&str; 12] = [
    "configmaps",
    "deployments",
    "events",
    "horizontalpodautoscalers",
    "ingresses",
    "networkpolicies",
    "poddisruptionbudgets",
    "pods",
    "secrets",
    "serviceaccounts",
    "services",
    "vibetalkclusters",
];

/// How often, by verb and resource.
pub struct Requests(BTreeMap<(String, String), usize>);

impl Requests {
    pub async fn so_far(admin: &Client) -> Self {
        let request = axum::http::Request::get("/metrics").body(Vec::new()).unwrap();
        let text = admin.request_text(request).await.unwrap();
        let mut counts = BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with("apiserver_request_total{")) {
            let (labels, count) = line.rsplit_once(' ').unwrap();
            let label = |name: &str| {
                let (_, rest) = labels.split_once(&format!("{name}=\"")).unwrap_or_default();
                rest.split('"').next().unwrap_or_default().to_owned()
            };
            let (verb, resource, part) = (label("verb"), label("resource"), label("subresource"));
            let is_own = resource == "vibetalkclusters" && verb == "POST";
            // A watch is counted when it ends.
            if RESOURCES.contains(&resource.as_str()) && verb != "WATCH" && !is_own {
                let name = if part.is_empty() { resource } else { format!("{resource}/{part}") };
                *counts.entry((verb, name)).or_default() += count.parse::<f64>().unwrap() as usize;
            }
        }
        Self(counts)
    }

    /// What came after `before`.
    pub fn since(mut self, before: &Self) -> Self {
        for (key, count) in &mut self.0 {
            *count -= before.0.get(key).copied().unwrap_or(0);
        }
        self.0.retain(|_, count| *count > 0);
        self
    }

    /// Prints all, and for each of so many.
    pub fn print(&self, each: usize) {
        let is_read = |verb: &str| matches!(verb, "GET" | "LIST");
        let sum = |reads: bool| -> usize {
            self.0.iter().filter(|((verb, _), _)| is_read(verb) == reads).map(|(_, count)| count).sum()
        };
        let (reads, writes) = (sum(true), sum(false));
        let each_of = |count: usize| count as f64 / each as f64;
        println!(
            "  API server: {writes} writes ({:.2} each), {reads} reads ({:.2} each)",
            each_of(writes),
            each_of(reads)
        );
        let rows: Vec<_> =
            self.0.iter().map(|((verb, resource), count)| format!("{verb} {resource} {count}")).collect();
        println!("    {}", rows.join(", "));
    }
}
