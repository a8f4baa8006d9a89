//! Many clusters on a real API server without kubelets and controllers: how long it takes until all objects are
//! written and every state is explained, and what the operator needs for it and afterwards.
//!
//! ```text
//! KUBEBUILDER_ASSETS=… cargo bench --bench thousand          # 100 clusters, then 1,000
//! KUBEBUILDER_ASSETS=… cargo bench --bench thousand -- 300
//! ```
//!
//! The API server, the broker's stand-in and this program share the machine with the operator.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may fail where it likes")]

#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/api/broker.rs"]
mod broker;
mod crowd;
#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/api/faults.rs"]
mod faults;
#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/api/program.rs"]
mod program;
mod requests;
#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/api/server.rs"]
mod server;
mod usage;

use std::process::Command;
use std::time::{Duration, Instant};

use crate::crowd::Crowd;
use crate::program::Program;
use crate::requests::Requests;
use crate::usage::Usage;

const COUNTS: [usize; 2] = [100, 1_000];
const VISITS: &str = "vibetalk_operator_reconciles_total";
const WRITES: &str = "vibetalk_operator_api_writes_total";
/// Looks at every cluster over which the cost of one is measured.
const ROUNDS: usize = 3;
/// Between two looks at the operator's counters; each costs it as much as a few visits.
const PAUSE: Duration = Duration::from_secs(1);
/// The shares of the clusters that are explained when a fresh one comes.
const FRESH_AT: [usize; 3] = [25, 50, 75];

fn main() {
    let counts: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if let [count] = counts[..] {
        return tokio::runtime::Runtime::new().unwrap().block_on(measure(count));
    }
    // Each with an API server of its own, which ends with its process.
    let counts = if counts.is_empty() { COUNTS.into() } else { counts };
    for count in counts {
        let ended = Command::new(std::env::current_exe().unwrap()).arg(count.to_string()).status().unwrap();
        assert!(ended.success(), "{count} clusters: {ended}");
    }
}

async fn measure(count: usize) {
    let Some(server) = server::server().await else { return };
    println!("\n{count} clusters");
    let crowd = Crowd::new(server).await;
    let operator = crowd.operator("first");
    crowd.is_led_by("first").await;
    let empty = Usage::of(operator.pid());
    println!("  operator without clusters: {empty}");

    let before = Requests::so_far(&crowd.admin).await;
    converge(&crowd, count, &operator).await;
    let made = Requests::so_far(&crowd.admin).await.since(&before);
    crowd.check(count + FRESH_AT.len()).await;
    let used = Usage::of(operator.pid());
    println!("  operator when all are explained: {used}");
    let writes = settle(&operator, count).await;
    println!("  writes by its own count until it settled: {writes}");
    made.print(count + FRESH_AT.len());
    rest(&crowd, &operator, count).await;
    operator.end().await;
    restart(&crowd, count).await;
}

/// Makes all clusters, and fresh ones meanwhile.
async fn converge(crowd: &Crowd, count: usize, operator: &Program) {
    let (started, before) = (Instant::now(), Usage::of(operator.pid()));
    let fresh = async {
        for share in FRESH_AT {
            crowd.explained(count * share / 100).await;
            let (taken, explained) = crowd.pick_up(&format!("fresh-{share}")).await;
            println!("  a fresh one at {share} %: taken up in {taken:.2?}, explained in {explained:.2?}");
        }
    };
    let made = async {
        crowd.make(count).await;
        started.elapsed()
    };
    let all = crowd.explained(count + FRESH_AT.len());
    let (made, (), ()) = tokio::join!(made, fresh, all);
    let took = started.elapsed();
    let cpu = Usage::of(operator.pid()).cpu - before.cpu;
    println!("  all made in {made:.1?}, all explained in {took:.1?}; the operator used {cpu:.1?} of CPU");
}

/// Waits until every cluster is looked at without a write.
async fn settle(operator: &Program, count: usize) -> usize {
    loop {
        let writes = operator.count(WRITES).await;
        visits(operator, count * 2).await;
        if operator.count(WRITES).await == writes {
            return writes;
        }
    }
}

async fn visits(operator: &Program, more: usize) {
    let until = operator.count(VISITS).await + more;
    while operator.count(VISITS).await < until {
        tokio::time::sleep(PAUSE).await;
    }
}

/// What it costs to look at clusters that need nothing.
async fn rest(crowd: &Crowd, operator: &Program, count: usize) {
    let requests = Requests::so_far(&crowd.admin).await;
    let (started, visited) = (Instant::now(), operator.count(VISITS).await);
    let before = Usage::of(operator.pid());
    visits(operator, count * ROUNDS).await;
    let after = Usage::of(operator.pid());
    let visits = operator.count(VISITS).await - visited;
    let each = (after.cpu - before.cpu) / u32::try_from(visits).unwrap();
    println!("  at rest: {visits} visits in {:.1?}, {each:.2?} of CPU each; {after}", started.elapsed());
    Requests::so_far(&crowd.admin).await.since(&requests).print(visits);
}

/// Another operator finds everything as it should be.
async fn restart(crowd: &Crowd, count: usize) {
    let operator = crowd.operator("second");
    let started = Instant::now();
    crowd.is_led_by("second").await;
    let fresh = crowd.pick_up("fresh-restart");
    let all = async {
        while operator.count(VISITS).await < count {
            tokio::time::sleep(PAUSE).await;
        }
        started.elapsed()
    };
    let ((taken, explained), all) = tokio::join!(fresh, all);
    println!("  a new operator: {count} visits in {all:.1?}");
    println!("  a fresh one meanwhile: taken up in {taken:.2?}, explained in {explained:.2?}");
    println!("  writes, of which those for the fresh one: {}", settle(&operator, count).await);
    operator.end().await;
}
