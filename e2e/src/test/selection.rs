//! Which tests were asked for.

use super::Stage;

/// All tests, or those of a stage, or those whose name contains some words.
#[derive(Clone, Debug)]
pub struct Selection {
    filter: Option<String>,
}

impl Selection {
    /// What the command line said.
    pub fn new(filter: Option<String>) -> Self {
        Self { filter: filter.filter(|text| !text.is_empty()) }
    }

    /// Whether all tests are meant.
    pub fn is_everything(&self) -> bool {
        self.filter.is_none()
    }

    /// Whether a test is meant.
    pub fn takes(&self, stage: Stage, name: &str) -> bool {
        self.filter.as_deref().is_none_or(|filter| filter == stage.name() || name.contains(filter))
    }

    /// Whether any of a stage's tests is meant.
    pub fn takes_any<'a>(&self, stage: Stage, mut names: impl Iterator<Item = &'a str>) -> bool {
        names.any(|name| self.takes(stage, name))
    }

    /// The words to look for in the names of the crates' own tests.
    pub fn words(&self) -> Option<&str> {
        self.filter.as_deref().filter(|filter| *filter != Stage::Unit.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_stage_or_part_of_a_name() {
        let chart = Selection::new(Some("chart".to_owned()));
        assert!(chart.takes(Stage::Chart, "unknown values are refused"));
        assert!(!chart.takes(Stage::Cluster, "a killed node does not end the service"));
        let killed = Selection::new(Some("killed".to_owned()));
        assert!(killed.takes(Stage::Cluster, "a killed node does not end the service"));
        assert!(!killed.takes(Stage::Chart, "unknown values are refused"));
    }

    #[test]
    fn no_filter_takes_everything() {
        assert!(Selection::new(None).takes(Stage::Browser, "anything"));
        assert!(Selection::new(Some(String::new())).is_everything());
    }
}
