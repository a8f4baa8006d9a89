//! The figures in the work tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// Where they are.
pub const FILE: &str = "chat-node/benches/instructions/budget.yaml";

/// What messages may cost.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// How far a count may be off, in percent.
    tolerance_percent: f64,
    /// By the names of what is done to messages.
    pub figures: BTreeMap<String, Figure>,
    /// As it was read.
    #[serde(skip)]
    text: String,
}

/// What one message may cost.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Figure {
    /// How many the two runs have, the fewer first.
    pub messages: [u32; 2],
    /// Instructions for each.
    instructions: u64,
}

impl Budget {
    /// Reads it.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(text).with_context(|| format!("{} is not as it should be", file.display()))
    }

    fn parse(text: String) -> Result<Self> {
        let budget: Self = serde_yaml::from_str(&text)?;
        for (name, Figure { messages: [few, many], .. }) in &budget.figures {
            ensure!(few < many, "{name}: the fewer messages come first");
        }
        Ok(Self { text, ..budget })
    }

    /// What is to be said of a count, if it is not as it should be. Fewer is said too: what was gained once could be lost
    /// again unseen.
    pub fn complaint(&self, name: &str, found: u64) -> Option<String> {
        let wanted = self.figures.get(name)?.instructions;
        let percent = (found as f64 / wanted as f64 - 1.0) * 100.0;
        let word = if percent > 0.0 { "more" } else { "fewer" };
        (percent.abs() > self.tolerance_percent).then(|| {
            let (off, tolerance) = (percent.abs(), self.tolerance_percent);
            format!(
                "{name}: {found} instructions a message are {off:.1} % {word} than {wanted} (±{tolerance} %)"
            )
        })
    }

    /// Writes new figures in the place of the old ones; all else stays as it is.
    pub fn write(&mut self, file: &Path, found: &[(String, u64)]) -> Result<()> {
        let lines = self.text.lines().map(|line| renewed(line, found) + "\n");
        self.text = lines.collect();
        fs::write(file, &self.text).with_context(|| format!("cannot write {}", file.display()))
    }
}

fn renewed(line: &str, found: &[(String, u64)]) -> String {
    const KEY: &str = "instructions: ";
    let name = line.trim_start().split(':').next();
    let new = found.iter().find(|(known, _)| Some(known.as_str()) == name);
    match (new, line.split_once(KEY)) {
        (Some((_, instructions)), Some((before, _))) => format!("{before}{KEY}{instructions}}}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# Why.\ntolerancePercent: 3\nfigures:\n  encode: {messages: [1, 2], instructions: 1000}\n";

    #[test]
    fn a_count_that_moved_either_way_is_told_with_both_figures() {
        let budget = Budget::parse(TEXT.to_owned()).unwrap();
        assert_eq!(budget.complaint("encode", 1_029), None);
        let more = budget.complaint("encode", 1_031).unwrap();
        assert!(more.contains("1031") && more.contains("3.1 % more than 1000"), "{more}");
        let fewer = budget.complaint("encode", 960).unwrap();
        assert!(fewer.contains("4.0 % fewer"), "{fewer}");
    }

    #[test]
    fn new_figures_take_the_place_of_the_old_and_nothing_else_changes() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("budget.yaml");
        let mut budget = Budget::parse(TEXT.to_owned()).unwrap();
        budget.write(&file, &[("encode".to_owned(), 777)]).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), TEXT.replace("1000", "777"));
        assert_eq!(Budget::read(&file).unwrap().figures["encode"].instructions, 777);
    }

    #[test]
    fn the_figures_of_the_work_tree_can_be_read() {
        let tree = crate::paths::Paths::discover().unwrap().tree;
        assert!(!Budget::read(&tree.join(FILE)).unwrap().figures.is_empty());
    }
}
