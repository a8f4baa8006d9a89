//! The tests of bus and store in `chat-node`, on a broker cluster and a store that they may harm.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use futures::future::try_join;

use super::Ground;
use crate::product::Backends;
use crate::site::{self, Action, Member, Site};
use crate::test::libtest;
use crate::test::unit::of_backends;

/// The tests of one program, and which of them: it must have that many at least, and leave none out.
struct Wanted {
    args: &'static [&'static str],
    at_least: usize,
}

/// What every bus must do, over both kinds of queue; what only RabbitMQ can do is tested on one node, with the others.
const BUS: Wanted = Wanted { args: &["--test", "bus", "--", "rabbitmq_", "--nocapture"], at_least: 30 };
const BUS_FAULTS: Wanted = Wanted { args: &["--test", "bus", "--", "faults::", "--nocapture"], at_least: 3 };
const STORE_FAULTS: Wanted =
    Wanted { args: &["--test", "store", "--", "faults::", "--nocapture"], at_least: 1 };

pub async fn go_through(ground: Arc<Ground>) -> Result<()> {
    let site = Site::build(&ground.paths, site::PARTS, site::MOST_BROKERS).await?;
    let variables = variables(&site)?;
    let tree = &ground.paths.tree;
    let bus = async {
        run(tree, &BUS, &variables).await?;
        run(tree, &BUS_FAULTS, &variables).await
    };
    try_join(bus, run(tree, &STORE_FAULTS, &variables)).await.map(drop)
}

async fn run(tree: &Path, wanted: &Wanted, variables: &[(&'static str, String)]) -> Result<()> {
    let what = wanted.args.join(" ");
    let outcome = libtest::run(tree, wanted.args, variables).await?;
    if outcome.tally.failed > 0 {
        bail!("`cargo test {what}`: failed: {}", outcome.tally.failures.join(", "));
    }
    let left_out = &outcome.left_out;
    ensure!(left_out.is_empty(), "`cargo test {what}` left out: {}", left_out.join("; "));
    let passed = outcome.tally.passed;
    ensure!(passed >= wanted.at_least, "`cargo test {what}` ran {passed} tests only");
    Ok(())
}

fn variables(site: &Site) -> Result<Vec<(&'static str, String)>> {
    let backends: Backends = site.backends()?;
    let brokers: Vec<String> = site.brokers().map(|number| site.broker_uri(number)).collect();
    let program = site.order_program().to_string_lossy().into_owned();
    let mut variables = of_backends(&backends).to_vec();
    variables.push(("VT_TEST_RABBITMQ_CLUSTER", brokers.join(",")));
    variables.push(("VIBETALK_TEST_STORE_FAULTS", store_faults(&program)));
    variables.push(("VT_TEST_RABBITMQ_FAULT", program));
    Ok(variables)
}

/// One line for each fault, which undoes it too.
fn store_faults(program: &str) -> String {
    let fault = |member: Member, (action, seconds, end): (Action, u32, Action)| {
        let order = |action: Action| format!("'{program}' {action} {member}");
        format!("{} && sleep {seconds} && {}\n", order(action), order(end))
    };
    [Member::Ferretdb, Member::Database]
        .into_iter()
        .flat_map(|member| {
            let hang = |seconds| (Action::Pause, seconds, Action::Resume);
            let death = |seconds| (Action::Kill, seconds, Action::Start);
            [hang(4), hang(12), death(0), death(3)].map(|one| fault(member, one))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_the_store_is_undone_in_its_own_line() {
        let faults = store_faults("/order");
        assert_eq!(faults.lines().count(), 8);
        assert_eq!(
            faults.lines().next().unwrap(),
            "'/order' pause ferretdb && sleep 4 && '/order' resume ferretdb"
        );
    }
}
