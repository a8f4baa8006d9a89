//! The images that the nodes run. There is no registry: each is made here, once for what goes into it, as an archive
//! that the nodes import.

mod base;
mod digest;
mod documentdb;
mod ingress_nginx;
mod layer;
mod oci;
mod product;
mod program;
mod rabbitmq;
mod rootfs;
mod workshop;

use anyhow::Result;
use futures::future::{try_join, try_join3};

use crate::archive::Archive;
use crate::binaries::Binaries;
use crate::paths::Paths;
use crate::progress::Progress;
use workshop::Workshop;

/// Makes the archives of RabbitMQ and of the store's database, if they are not there yet.
pub async fn services(paths: &Paths, progress: &Progress, binaries: &Binaries) -> Result<[Archive; 2]> {
    std::fs::create_dir_all(paths.cache.join("images"))?;
    let workshop = &Workshop { paths, progress, binaries };
    try_join(rabbitmq::rabbitmq(workshop), documentdb::documentdb(workshop)).await.map(Into::into)
}

/// Makes the archives of Prometheus and prometheus-adapter, if they are not there yet.
pub async fn monitoring(paths: &Paths, progress: &Progress, binaries: &Binaries) -> Result<[Archive; 2]> {
    std::fs::create_dir_all(paths.cache.join("images"))?;
    let workshop = &Workshop { paths, progress, binaries };
    Ok([program::prometheus(workshop).await?, program::prometheus_adapter(workshop).await?])
}

/// Makes the archives that are not there yet; one of them is `localhost/pause:…`.
pub async fn ensure(paths: &Paths, progress: &Progress, binaries: &Binaries) -> Result<Vec<Archive>> {
    std::fs::create_dir_all(paths.cache.join("images"))?;
    let workshop = &Workshop { paths, progress, binaries };
    // Downloads wait for the network and compiling for the processor: side by side they take less.
    let small = async {
        let mut made = vec![program::pause(workshop).await?];
        made.push(program::coredns(workshop).await?);
        made.push(program::metrics_server(workshop).await?);
        made.push(ingress_nginx::ingress_nginx(workshop).await?);
        Ok(made)
    };
    let services = async {
        let mut made = vec![program::ferretdb(workshop).await?];
        made.push(rabbitmq::rabbitmq(workshop).await?);
        made.push(documentdb::documentdb(workshop).await?);
        Ok(made)
    };
    let (small, services, product) = try_join3(small, services, product::product(workshop)).await?;
    Ok(small.into_iter().chain(services).chain(product).collect())
}
