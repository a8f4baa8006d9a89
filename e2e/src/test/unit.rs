//! The crates' own tests, and what they may use.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::case::Tally;
use super::libtest;
use crate::product::Backends;

/// What the tests may use beside this machine's processor.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// Directory with `etcd`, `kube-apiserver` and `helm`.
    pub api_server: Option<PathBuf>,
    /// Files with the definitions of optional kinds, separated by colons.
    pub definitions: Option<OsString>,
    /// A broker and a store.
    pub backends: Option<Backends>,
}

/// Runs the tests of all crates, or those whose names contain `words`, and counts them.
pub async fn run(tree: &Path, words: Option<&str>, surroundings: &Surroundings) -> Result<Tally> {
    let args: Vec<&str> = ["--"].into_iter().chain(words).collect();
    Ok(libtest::run(tree, &args, &variables(surroundings)).await?.tally)
}

fn variables(surroundings: &Surroundings) -> Vec<(&'static str, String)> {
    let mut variables = Vec::new();
    if let Some(directory) = &surroundings.api_server {
        variables.push(("KUBEBUILDER_ASSETS", directory.to_string_lossy().into_owned()));
    }
    if let Some(files) = &surroundings.definitions {
        variables.push(("VIBETALK_TEST_DEFINITIONS", files.to_string_lossy().into_owned()));
    }
    if let Some(backends) = &surroundings.backends {
        variables.extend(of_backends(backends));
    }
    variables
}

/// The variables by which tests find a broker and a store.
pub fn of_backends(backends: &Backends) -> [(&'static str, String); 3] {
    [
        ("VIBETALK_TEST_MONGODB_URI", backends.mongodb_uri.clone()),
        ("VT_TEST_RABBITMQ_URI", backends.broker.uri()),
        ("VT_TEST_RABBITMQ_MANAGEMENT", backends.broker.management_with_login()),
    ]
}
