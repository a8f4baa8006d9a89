//! The logs of the parts.

use std::fs::{self, File};
use std::io;

use anyhow::{Context, Result, bail};

use crate::output;
use crate::paths::Paths;

/// Prints the log of `part`, or without one the names of the parts that have a log.
pub fn print(paths: &Paths, part: Option<&str>) -> Result<()> {
    let names = names(paths)?;
    let Some(part) = part else {
        return output::print(&(names.join("\n") + "\n"));
    };
    if !names.iter().any(|name| name == part) {
        bail!("no part {part} has a log. These have: {}", names.join(" "));
    }
    let mut log = File::open(paths.log(part)).with_context(|| format!("cannot read the log of {part}"))?;
    output::ignore_leaving(io::copy(&mut log, &mut io::stdout().lock()).map(drop))
}

fn names(paths: &Paths) -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(paths.logs()) else {
        bail!("there are no logs in {}; `cargo e2e up` writes them", paths.logs().display());
    };
    let name = |file: String| file.strip_suffix(".log").map(str::to_owned);
    let files = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = files.filter_map(name).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_not_there_gets_the_list_of_those_that_are() {
        let state = tempfile::tempdir().unwrap();
        let paths = Paths { tree: "/t".into(), cache: "/c".into(), state: state.path().into() };
        crate::process::append(&paths.log("etcd")).unwrap();
        let error = print(&paths, Some("etdc")).unwrap_err().to_string();
        assert!(error.contains("etdc") && error.ends_with("etcd"), "{error}");
        assert!(print(&paths, Some("etcd")).is_ok());
    }
}
