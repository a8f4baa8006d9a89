//! What is measured otherwise than by load profiles: by a bench of the chat node, several times.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::figure::Figure;
use super::page;
use crate::load::{self, Surroundings};
use crate::progress::Progress;

/// Parts that were disturbed are repeated so often.
const TRIES: usize = 4;

/// The size of parts that are all alike.
pub const ALIKE: usize = 1;

/// What a run of a bench prints, and how it is shown.
pub trait Subject: Serialize + DeserializeOwned + Sized {
    /// What it is called among the profiles.
    const NAME: &'static str;
    /// How it is measured, as Markdown.
    const METHOD: &'static str;
    /// What the chart shows.
    const CAPTION: &'static str;

    /// What the size of a part counts; `None` if all parts are alike.
    const SIZE_OF: Option<&'static str> = None;

    /// What parts of the same run differ by.
    fn size(&self) -> usize {
        ALIKE
    }

    /// The tables, and what follows from them.
    fn text(study: &Study<Self>) -> String;

    /// The chart, as SVG.
    fn chart(study: &Study<Self>) -> String;

    /// What ran, with a `;` behind it.
    fn versions(_study: &Study<Self>) -> String {
        String::new()
    }
}

/// All parts of all runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Study<M> {
    /// The machine and the versions.
    pub surroundings: Surroundings,
    /// One after the other.
    pub parts: Vec<Part<M>>,
}

/// A part of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Part<M> {
    /// What came of it.
    pub measured: M,
    /// Time of all cores that others used, in percent.
    pub foreign_percent: f64,
    /// Time that the machine itself did not get, in percent.
    pub steal_percent: f64,
}

impl<M: Subject> Part<M> {
    /// Measures all sizes, so many times.
    pub async fn of_all<S: Copy + Display>(
        (progress, runs): (&Progress, u32),
        sizes: &[S],
        measure: impl AsyncFn(S) -> Result<Self>,
    ) -> Result<Vec<Self>> {
        let mut parts = Vec::new();
        for number in 1..=runs {
            for &size in sizes {
                let part = M::SIZE_OF.map(|of| format!(", {of}: {size}")).unwrap_or_default();
                progress.say(format_args!("{}, run {number} of {runs}{part}", M::NAME));
                parts.push(Self::undisturbed(progress, async || measure(size).await).await?);
            }
        }
        Ok(parts)
    }

    /// Measures until nobody disturbs.
    async fn undisturbed(
        progress: &Progress,
        mut measure: impl AsyncFnMut() -> Result<Self>,
    ) -> Result<Self> {
        for _ in 0..TRIES {
            let part = measure().await?;
            let troubles = load::troubles("meanwhile", (part.foreign_percent, part.steal_percent));
            if troubles.is_empty() {
                return Ok(part);
            }
            progress.say(format_args!("void, once more: {}", troubles.join("; ")));
        }
        bail!("disturbed {TRIES} times; end what else runs on this machine, and try again");
    }
}

impl<M: Subject> Study<M> {
    /// What was published last, if ever.
    pub fn published(directory: &Path) -> Result<Option<Self>> {
        let name = format!("{}.json", M::NAME);
        let Some(text) = read(&directory.join(&name))? else { return Ok(None) };
        serde_json::from_str(&text).with_context(|| format!("{name} holds something else")).map(Some)
    }

    /// How often all of it was measured.
    pub fn runs(&self) -> usize {
        let first = self.parts.first().map(|part| part.measured.size());
        self.parts.iter().filter(|part| Some(part.measured.size()) == first).count()
    }

    /// The sizes that parts differ by, in order.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<usize> = self.parts.iter().map(|part| part.measured.size()).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    /// A measure of all parts of a size; `None` if there are none.
    pub fn figure_at(&self, size: usize, of: impl Fn(&M) -> f64) -> Option<Figure> {
        let parts = self.parts.iter().map(|part| &part.measured);
        Figure::of(parts.filter(|measured| measured.size() == size).map(of))
    }

    /// How much others got in the way.
    fn others(&self) -> String {
        let most = |of: fn(&Part<M>) -> f64| self.parts.iter().map(of).fold(0.0, f64::max);
        format!(
            "Others used at most {:.1} % of the machine's cores, and the hypervisor {:.1} %.",
            most(|part| part.foreign_percent),
            most(|part| part.steal_percent)
        )
    }
}

/// A file's name and content.
pub type File = (String, Vec<u8>);

/// What is published of a study, whatever was measured.
pub trait Shown {
    /// The files: what was measured, and the chart.
    fn files(&self) -> Result<[File; 2]>;

    /// Its part of the page.
    fn section(&self) -> String;
}

impl<M: Subject> Shown for Study<M> {
    fn files(&self) -> Result<[File; 2]> {
        let name = M::NAME;
        let chart = M::chart(self).into_bytes();
        Ok([(format!("{name}.json"), serde_json::to_vec_pretty(self)?), (format!("{name}.svg"), chart)])
    }

    fn section(&self) -> String {
        format!(
            "\n## {name}\n\n{method}\n{place}. {versions}runs: {runs}. {others}\n\n{text}\n![{caption}](benchmarks/{name}.svg)\n",
            name = M::NAME,
            method = M::METHOD,
            place = page::place(&self.surroundings),
            versions = M::versions(self),
            runs = self.runs(),
            others = self.others(),
            text = M::text(self),
            caption = M::CAPTION,
        )
    }
}

/// The text of a file, if it is there.
pub fn read(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}
