//! A chat node's way to its broker, and to another one if that is dead.

use anyhow::Result;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::brokers::Address;

pub struct Way {
    pub address: Address,
    _work: AbortOnDropHandle<()>,
}

impl Way {
    /// Leads to the first of these that takes connections.
    pub async fn open(targets: Vec<Address>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = listener.local_addr()?;
        let work = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(lead(client, targets.clone()));
            }
        });
        let address = Address { host: own.ip().to_string(), port: own.port() };
        Ok(Self { address, _work: AbortOnDropHandle::new(work) })
    }
}

async fn lead(mut client: TcpStream, targets: Vec<Address>) {
    for Address { host, port } in targets {
        if let Ok(mut server) = TcpStream::connect((host.as_str(), port)).await {
            // Otherwise it is slower by that only; how it ends is seen at both its ends.
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let _ = copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}
