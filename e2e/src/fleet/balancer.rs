//! What a Service does in a cluster: connections to one address go to any of several targets.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// A target that has not taken a connection by then is passed over.
const CONNECTED_WITHIN: Duration = Duration::from_secs(1);

/// Each connection goes to the next target; where nobody listens, to the one after. Ends its connections when dropped.
#[derive(Debug)]
pub struct Balancer {
    /// Where it listens.
    pub address: SocketAddr,
    targets: Arc<Mutex<VecDeque<SocketAddr>>>,
    _task: AbortOnDropHandle<()>,
}

impl Balancer {
    /// Listens on a port of loopback.
    pub async fn among(targets: impl IntoIterator<Item = SocketAddr>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let targets = Arc::new(Mutex::new(targets.into_iter().collect()));
        let address = listener.local_addr()?;
        let task = tokio::spawn(serve(listener, targets.clone()));
        Ok(Self { address, targets, _task: AbortOnDropHandle::new(task) })
    }

    /// No connection goes to this target any more; those that it has stay.
    pub fn withdraw(&self, target: SocketAddr) {
        self.lock().retain(|one| *one != target);
    }

    /// Connections go to this target too.
    pub fn admit(&self, target: SocketAddr) {
        self.lock().push_back(target);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<SocketAddr>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, targets: Arc<Mutex<VecDeque<SocketAddr>>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let order = rotate(&mut targets.lock().unwrap_or_else(PoisonError::into_inner));
                connections.spawn(pass(client, order));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The targets in the order in which the next connection tries them.
fn rotate(targets: &mut VecDeque<SocketAddr>) -> Vec<SocketAddr> {
    let order = targets.iter().copied().collect();
    if !targets.is_empty() {
        targets.rotate_left(1);
    }
    order
}

async fn pass(mut client: TcpStream, targets: Vec<SocketAddr>) {
    for target in targets {
        let connected = tokio::time::timeout(CONNECTED_WITHIN, TcpStream::connect(target)).await;
        let Ok(Ok(mut server)) = connected else { continue };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        // However it ends, both sides see it.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        return;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Says its name to whoever connects.
    async fn target(name: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut client, name.as_bytes()).await.unwrap();
            }
        });
        address
    }

    async fn answer(balancer: &Balancer) -> String {
        let mut text = String::new();
        TcpStream::connect(balancer.address).await.unwrap().read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn connections_go_round_and_pass_over_who_is_gone_or_withdrawn() {
        let (one, two) = (target("one").await, target("two").await);
        let nobody = "127.0.0.1:1".parse().unwrap();
        let balancer = Balancer::among([one, nobody, two]).await.unwrap();
        assert_eq!([answer(&balancer).await, answer(&balancer).await], ["one", "two"]);
        balancer.withdraw(one);
        assert_eq!([answer(&balancer).await, answer(&balancer).await], ["two", "two"]);
        balancer.admit(one);
        balancer.withdraw(two);
        assert_eq!(answer(&balancer).await, "one");
    }
}
