//! Image archives: files that the nodes import, since there is no registry to pull from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// An image in a file that `ctr images import` takes (an OCI or Docker archive).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// The image's name, as in a pod's `image`: `localhost/NAME:<12 hex of its content's hash>`.
    pub reference: String,
    /// The file. It stays where it is as long as the cluster lives: a node that starts anew imports it again.
    pub path: PathBuf,
    /// Which nodes need it.
    pub placement: Placement,
}

/// Which nodes import an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placement {
    /// Every node: the image's pods may run anywhere.
    EveryNode,
    /// Only the node with the label `vibetalk.dev/services=true`, which holds what the product depends on.
    ServicesNode,
}
