//! The cluster's network: a bridge on this machine, a cable from it into every node, and the routes.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Result;

use crate::process::Run;

/// The bridge. This machine is 10.89.0.1 on it, node I is 10.89.0.1I.
pub const BRIDGE: &str = "vtbr0";
/// This machine's address as the nodes see it; the API server listens here and nowhere else.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 1);
/// The addresses of all pods.
pub const PODS: &str = "10.244.0.0/16";
/// The addresses of all Services.
pub const SERVICES: &str = "10.96.0.0/16";
/// The Service of the API server, the first address of [`SERVICES`].
pub const API_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// The Service of the cluster's name server.
pub const NAME_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// The most nodes there can be.
pub const MOST_NODES: u8 = 3;

/// The address of a node.
pub fn node_address(node: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 89, 0, 10 + node)
}

/// The addresses of a node's pods.
pub fn node_pods(node: u8) -> String {
    format!("10.244.{node}.0/24")
}

/// The end of a node's cable on this machine.
pub fn cable(node: u8) -> String {
    format!("vt-n{node}")
}

/// Makes the bridge and this machine's routes, unless they are there.
pub async fn ensure() -> Result<()> {
    if !exists(BRIDGE) {
        ip(["link", "add", BRIDGE, "type", "bridge"]).await?;
    }
    ip(["address", "replace", &format!("{HOST}/24"), "dev", BRIDGE]).await?;
    ip(["link", "set", BRIDGE, "up"]).await?;
    for node in 1..=MOST_NODES {
        route(&node_pods(node), node).await?;
    }
    // The first node's service proxy serves this machine too.
    route(SERVICES, 1).await
}

/// Lays the cable from the bridge into the network namespace of the process `inside`, and sets up its other end.
pub async fn connect(node: u8, inside: i32) -> Result<()> {
    disconnect(node).await?;
    let (cable, pid) = (cable(node), inside.to_string());
    ip(["link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &pid]).await?;
    ip(["link", "set", &cable, "master", BRIDGE, "up"]).await?;
    let setup = inside_setup(node);
    Run::new("nsenter").args(["--target", &pid, "--net", "sh", "-ec", &setup]).output().await.map(drop)
}

/// Removes a node's cable, if there is one.
pub async fn disconnect(node: u8) -> Result<()> {
    remove(&cable(node)).await
}

/// Removes the bridge, and with it the routes through it.
pub async fn remove_bridge() -> Result<()> {
    remove(BRIDGE).await
}

/// The node's own address and routes. Those to nodes that are not there do no harm.
fn inside_setup(node: u8) -> String {
    let address = node_address(node);
    let mut lines = vec![
        format!("ip address add {address}/24 dev eth0"),
        "ip link set eth0 up".into(),
        "ip link set lo up".into(),
        format!("ip route add default via {HOST}"),
    ];
    for other in (1..=MOST_NODES).filter(|other| *other != node) {
        lines.push(format!("ip route add {} via {}", node_pods(other), node_address(other)));
    }
    lines.join("\n")
}

async fn route(destination: &str, node: u8) -> Result<()> {
    ip(["route", "replace", destination, "via", &node_address(node).to_string()]).await
}

async fn remove(link: &str) -> Result<()> {
    if !exists(link) {
        return Ok(());
    }
    match ip(["link", "delete", link]).await {
        // It went with its namespace in this very moment.
        Err(_) if !exists(link) => Ok(()),
        result => result,
    }
}

fn exists(link: &str) -> bool {
    Path::new("/sys/class/net").join(link).exists()
}

async fn ip<const N: usize>(args: [&str; N]) -> Result<()> {
    Run::new("ip").args(args).output().await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_reaches_the_pods_of_every_other_node_and_not_its_own_by_a_route() {
        let setup = inside_setup(2);
        assert!(setup.contains("10.244.1.0/24 via 10.89.0.11"));
        assert!(setup.contains("10.244.3.0/24 via 10.89.0.13"));
        assert!(!setup.contains("10.244.2.0/24"));
    }
}
