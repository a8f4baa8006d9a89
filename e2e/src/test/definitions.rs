//! The definitions of the kinds that a Kubernetes cluster may do without, as their makers publish them: files in Go
//! modules of pinned versions, checked by Go's checksum database.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::Run;

/// A module with its version, and the files in it.
const FILES: [(&str, &[&str]); 3] = [
    ("sigs.k8s.io/gateway-api@v1.4.0", &["config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"]),
    (
        "github.com/prometheus-operator/prometheus-operator@v0.76.0",
        &[
            "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ],
    ),
    ("github.com/kedacore/keda/v2@v2.18.0", &["config/crd/bases/keda.sh_scaledobjects.yaml"]),
];

/// Their files, fetched if they are not there, as one list of paths.
pub async fn files() -> Result<OsString> {
    let mut files: Vec<PathBuf> = Vec::new();
    for (module, names) in FILES {
        // Outside of any module, so that only this one is read.
        let download = Run::new("go").directory(&env::temp_dir()).args(["mod", "download", "-json", module]);
        let answer: serde_json::Value = serde_json::from_str(&download.output().await?)?;
        let directory = answer["Dir"].as_str().with_context(|| format!("go knows no source of {module}"))?;
        files.extend(names.iter().map(|name| PathBuf::from(directory).join(name)));
    }
    Ok(env::join_paths(files)?)
}
