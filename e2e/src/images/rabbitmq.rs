//! RabbitMQ from Debian packages.

use std::path::PathBuf;

use anyhow::Result;

use super::layer::{Layer, LayerWriter};
use super::oci::Start;
use super::rootfs::{Depth, Rootfs};
use super::workshop::{Job, Workshop, blocking};
use crate::archive::{Archive, Placement};

const VERSION: &str = "2";
const PACKAGES: &[&str] = &["rabbitmq-server"];
/// The release that has RabbitMQ 4.3, and the one before it, with 4.0.
const FORKY: Rootfs = Rootfs { suite: "forky", depth: Depth::Installed, packages: PACKAGES };
const TRIXIE: Rootfs = Rootfs { suite: "trixie", depth: Depth::Installed, packages: PACKAGES };

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nrabbitmq:x:999:999:RabbitMQ:/var/lib/rabbitmq:/bin/sh\n";
const GROUP: &str = "root:x:0:\nrabbitmq:x:999:\n";
const SETTINGS: &str = include_str!("../../images/rabbitmq/rabbitmq.conf");
const PLUGINS: &str = include_str!("../../images/rabbitmq/enabled_plugins");
/// What the packages drag in and the broker never opens.
const DROPPED: &[&str] = &[
    "dev",
    "proc",
    "sys",
    "run",
    "boot",
    "etc/passwd",
    "etc/group",
    "etc/apt",
    "usr/bin/openssl",
    "usr/bin/perl",
    "usr/bin/rabbitmqadmin",
    "usr/bin/systemd",
    "usr/lib/systemd",
    "usr/sbin",
    "usr/share/bash-completion",
    "usr/share/perl5",
    "usr/share/zsh",
    "var/cache",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/lib/rabbitmq",
    "var/log",
];
/// The same, by the name of a directory anywhere.
const DROPPED_DIRECTORIES: &[&str] = &["gconv", "i18n", "perl-base", "systemd"];
const ENVIRONMENT: &[&str] = &[
    "HOME=/var/lib/rabbitmq",
    "LANG=C.UTF-8",
    "RABBITMQ_NODENAME=rabbit@localhost",
    "RABBITMQ_CONFIG_FILE=/etc/rabbitmq/rabbitmq.conf",
    "RABBITMQ_ENABLED_PLUGINS_FILE=/etc/rabbitmq/enabled_plugins",
    "ERL_EPMD_ADDRESS=127.0.0.1",
    // Two schedulers that sleep when there is nothing to do leave the processor to others; a node that hangs is
    // noticed within 15 s.
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel net_ticktime 15",
    // Makes the start script become the Erlang machine, which then takes the signals itself.
    "RUNNING_UNDER_SYSTEMD=true",
];

/// The broker's image.
pub async fn rabbitmq(workshop: &Workshop<'_>) -> Result<Archive> {
    match of(workshop, FORKY).await {
        Ok(archive) => Ok(archive),
        Err(error) => {
            workshop.progress.say(format_args!(
                "Debian {} gives no RabbitMQ ({error:#}); taking the older one of {}",
                FORKY.suite, TRIXIE.suite
            ));
            of(workshop, TRIXIE).await
        }
    }
}

async fn of(workshop: &Workshop<'_>, rootfs: Rootfs) -> Result<Archive> {
    let begin =
        rootfs.ingredients("rabbitmq").text(VERSION).text(PASSWD).text(GROUP).text(SETTINGS).text(PLUGINS);
    let lists = DROPPED.iter().chain(DROPPED_DIRECTORIES).chain(ENVIRONMENT);
    let ingredients = lists.fold(begin, |all, one| all.text(one));
    let make = async |job: Job| {
        let tar = workshop.rootfs("rabbitmq", &rootfs).await?;
        blocking(move || {
            let start = Start {
                entrypoint: &["/usr/lib/rabbitmq/bin/rabbitmq-server"],
                user: "999:999",
                directory: "/var/lib/rabbitmq",
                environment: ENVIRONMENT,
            };
            job.write(&start, &[layer(&job, tar)?])
        })
        .await
    };
    workshop.image(ingredients, Placement::ServicesNode, make).await
}

fn layer(job: &Job, rootfs: PathBuf) -> Result<Layer> {
    let mut layer = LayerWriter::create(job.scratch.join("layer"))?;
    layer.rootfs(&rootfs, &is_needed)?;
    layer.file("etc/passwd", 0o644, PASSWD)?;
    layer.file("etc/group", 0o644, GROUP)?;
    layer.file("etc/rabbitmq/rabbitmq.conf", 0o644, SETTINGS)?;
    layer.file("etc/rabbitmq/enabled_plugins", 0o644, PLUGINS)?;
    // More settings, such as the login, are mounted here.
    layer.directory("etc/rabbitmq/conf.d", 0o755)?;
    layer.directory("var/lib/rabbitmq", 0o755)?;
    layer.directory("var/log/rabbitmq", 0o777)?;
    layer.finish()
}

fn is_needed(path: &str) -> bool {
    !DROPPED.iter().any(|dropped| path.starts_with(dropped))
        && !path.split('/').any(|name| DROPPED_DIRECTORIES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broker_stays_and_the_package_system_goes() {
        assert!(is_needed("usr/lib/rabbitmq/bin/rabbitmq-server"));
        assert!(is_needed("usr/lib/x86_64-linux-gnu/libsystemd.so.0"));
        assert!(!is_needed("usr/bin/perl5.42.3"));
        assert!(!is_needed("usr/lib/x86_64-linux-gnu/gconv/UTF-16.so"));
        assert!(!is_needed("var/lib/dpkg/status"));
    }
}
