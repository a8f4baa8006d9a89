//! Which of the kinds that a Kubernetes cluster may do without it has. Asked at the start and again every minute, so
//! that what is installed later is found, and what is removed is no error.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Client;
use kube::core::Status;
use tokio::sync::watch;

use crate::backoff::jitter;
use crate::resources::Kind;

const AGAIN: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_secs(8);

/// The kinds that are there.
#[derive(Debug, Default)]
pub struct Apis {
    served: watch::Sender<BTreeSet<Kind>>,
}

impl Apis {
    /// Whether the API server knows the kind.
    pub fn serves(&self, kind: Kind) -> bool {
        is_among(&self.served.borrow(), kind)
    }

    /// Waits until the API server knows the kind, or no longer knows it.
    pub async fn until(&self, kind: Kind, served: bool) {
        // The sender lives as long as `self`.
        let _ = self.served.subscribe().wait_for(|all| is_among(all, kind) == served).await;
    }

    /// Asks the API server. A kind of which it says nothing stays as it was.
    pub async fn probe(&self, client: &Client) {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_optional()) {
            match tokio::time::timeout(DEADLINE, is_served(client, kind)).await {
                Ok(Ok(served)) => self.set(kind, served),
                Ok(Err(error)) => tracing::warn!(%kind, %error, "cannot ask whether a kind is there"),
                Err(_) => tracing::warn!(%kind, "no answer whether a kind is there"),
            }
        }
    }

    /// Asks again and again.
    pub async fn keep_probing(&self, client: &Client) {
        loop {
            tokio::time::sleep(jitter(AGAIN)).await;
            self.probe(client).await;
        }
    }

    fn set(&self, kind: Kind, served: bool) {
        let change = |all: &mut BTreeSet<Kind>| if served { all.insert(kind) } else { all.remove(&kind) };
        if self.served.send_if_modified(change) {
            tracing::info!(%kind, served, "optional kind");
        }
    }
}

fn is_among(all: &BTreeSet<Kind>, kind: Kind) -> bool {
    !kind.is_optional() || all.contains(&kind)
}

async fn is_served(client: &Client, kind: Kind) -> kube::Result<bool> {
    let resource = kind.resource();
    match client.list_api_group_resources(&resource.api_version).await {
        Ok(list) => Ok(list.resources.iter().any(|one| one.name == resource.plural)),
        Err(kube::Error::Api(status)) if is_unknown(&status) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the API server says that it does not know a kind. To a path that it does not know it answers in plain text,
/// without the reason that `Status::is_not_found` looks for.
pub fn is_unknown(status: &Status) -> bool {
    status.code == 404
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_404_in_plain_text_says_that_a_kind_is_not_there() {
        let plain = Status::failure("404 page not found", "Failed to parse error data").with_code(404);
        assert!(is_unknown(&plain));
        let refused = Status::failure("no", "Forbidden").with_code(403);
        assert!(!is_unknown(&refused));
    }
}
