//! Root file systems of Debian packages.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::digest::Ingredients;
use crate::process::Run;

const DEADLINE: Duration = Duration::from_secs(15 * 60);
const SOURCES: &str = "/etc/apt/sources.list";
const MORE_SOURCES: &str = "/etc/apt/sources.list.d";
/// Documents and translations, which nobody reads in an image.
const UNREAD: [&str; 3] = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"];

/// Which packages of which Debian release, and how much of a system around them.
#[derive(Clone, Copy, Debug)]
pub struct Rootfs {
    /// The release's code name.
    pub suite: &'static str,
    /// How far the packages are installed.
    pub depth: Depth,
    /// The packages asked for; what they depend on comes along, what they recommend does not.
    pub packages: &'static [&'static str],
}

/// How far packages are installed.
#[derive(Clone, Copy, Debug)]
pub enum Depth {
    /// Unpacked only: no scripts ran, no shell is needed.
    Unpacked,
    /// Installed beside the essential packages, all scripts run.
    Installed,
}

impl Rootfs {
    /// What it is made from.
    pub fn ingredients(&self, name: &'static str) -> Ingredients {
        let begin = Ingredients::new(name, 1).text(self.suite).text(self.variant());
        self.packages.iter().fold(begin, |all, package| all.text(package))
    }

    /// Writes it as a tar file.
    pub async fn make(&self, tar: &Path, log: &Path) -> Result<()> {
        let mirror = mirror()?;
        // The archive's index of a release that is not out yet may be older than it promises.
        let mut args = vec![
            "--mode=root".to_owned(),
            format!("--variant={}", self.variant()),
            "--keyring=/usr/share/keyrings".into(),
            "--format=tar".into(),
            "--aptopt=APT::Install-Recommends \"false\"".into(),
            "--aptopt=Acquire::Check-Valid-Until \"false\"".into(),
            "--aptopt=Acquire::Retries \"3\"".into(),
            format!("--include={}", self.packages.join(",")),
        ];
        args.extend(UNREAD.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
        args.extend([self.suite.to_owned(), tar.to_string_lossy().into_owned(), mirror]);
        Run::new("mmdebstrap").args(args).deadline(DEADLINE).logged(log).await.with_context(|| {
            format!("cannot make a root file system of {} {}", self.suite, self.packages.join(" "))
        })
    }

    fn variant(&self) -> &'static str {
        match self.depth {
            Depth::Unpacked => "extract",
            Depth::Installed => "essential",
        }
    }
}

/// The address of the Debian archive that this machine's apt uses.
fn mirror() -> Result<String> {
    let mut files = vec![SOURCES.into()];
    if let Ok(more) = fs::read_dir(MORE_SOURCES) {
        let mut more: Vec<_> = more.flatten().map(|entry| entry.path()).collect();
        more.sort();
        files.extend(more);
    }
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    match texts.filter_map(|text| debian_archive(&text)).next() {
        Some(mirror) => Ok(mirror),
        None => bail!(
            "neither {SOURCES} nor {MORE_SOURCES} names a Debian archive; add one and run `apt-get update`"
        ),
    }
}

/// The address of the first source of packages in a file of either format that is a Debian archive, not its
/// security updates or a vendor's own.
fn debian_archive(sources: &str) -> Option<String> {
    let one_line = |line: &str| {
        let rest = line.strip_prefix("deb ")?.trim_start();
        let rest =
            rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(rest, |(_, rest)| rest);
        rest.split_whitespace().next().map(str::to_owned)
    };
    let stanza = |line: &str| line.strip_prefix("URIs:")?.split_whitespace().next().map(str::to_owned);
    let is_debian = |uri: &String| uri.trim_end_matches('/').ends_with("/debian");
    sources.lines().filter_map(|line| one_line(line).or_else(|| stanza(line))).find(is_debian)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_found_in_both_formats_of_sources() {
        let stanzas = "Types: deb\n# URIs: http://old.example/debian\nURIs: http://mirror.example/debian\n";
        assert_eq!(debian_archive(stanzas).unwrap(), "http://mirror.example/debian");
        let lines = "# a comment\ndeb [signed-by=/k] https://mirror.example/debian/ bookworm main\n";
        assert_eq!(debian_archive(lines).unwrap(), "https://mirror.example/debian/");
    }

    #[test]
    fn a_vendors_own_archive_and_the_security_updates_are_passed_over() {
        let lines = "deb https://vendor.example/tools nodistro main\n\
                     deb http://mirror.example/debian-security bookworm-security main\n";
        assert_eq!(debian_archive(lines), None);
    }
}
