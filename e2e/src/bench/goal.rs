//! What figures shall be, and by how much they miss it.

use std::fmt;

use super::figure::Figure;

/// Idle, a signed-in connection takes so much of the node, in KiB.
pub const IDLE_KIB: Bound = Bound::AtMost(4.0);
/// A node on one core lets so many users in, a second.
pub const CONNECTS: Bound = Bound::AtLeast(5_000.0);
/// A delivery of messages one by one takes so many times the CPU of a bare `send()`.
pub const PACED: Bound = Bound::AtMost(1.15);
/// Deliveries of messages as fast as may be, in millions a second, on one core.
pub const COALESCED: Bound = Bound::AtLeast(1.3);
/// The same with [`MANY`] connections.
pub const COALESCED_TO_MANY: Bound = Bound::AtLeast(0.7);
/// A message to [`MANY`] connections takes so many times what a bare loop of `send()` does.
pub const TO_MANY: Bound = Bound::AtMost(1.3);
/// From node to node a message takes so much longer than store and broker alone, in ms.
pub const BEYOND_SERVICES_MS: Bound = Bound::AtMost(2.0);
/// So many connections are many.
pub const MANY: usize = 10_000;

/// A limit of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// It shall not be more.
    AtMost(f64),
    /// It shall not be less.
    AtLeast(f64),
}

impl Bound {
    /// How many times too much or too little a figure is; `None`: the goal is reached.
    pub fn missed_by(self, figure: f64) -> Option<f64> {
        let times = match self {
            Self::AtMost(most) => figure / most,
            Self::AtLeast(least) => least / figure,
        };
        (times > 1.0).then_some(times)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

/// Figures that have the same name, each with what it shall be.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What they are called.
    pub name: &'static str,
    /// Each with where it was measured.
    pub figures: Vec<(String, Bound, f64)>,
}

impl Goal {
    fn is_reached(&self) -> bool {
        self.figures.iter().all(|(_, bound, figure)| bound.missed_by(*figure).is_none())
    }

    fn line(&self) -> String {
        let verdict = |(place, bound, figure): &(String, Bound, f64)| match bound.missed_by(*figure) {
            Some(times) => format!("{place} not reached: {times:.2} × ({}, wanted {bound})", shown(*figure)),
            None => format!("{place} reached"),
        };
        let verdicts: Vec<String> = self.figures.iter().map(verdict).collect();
        format!("- **{}**: {}.\n", self.name, verdicts.join("; "))
    }
}

/// With as many digits as in the tables.
fn shown(figure: f64) -> String {
    Figure::of([figure]).map_or(String::new(), |figure| figure.to_string())
}

/// How many goals are reached, and a line for each that is not.
pub fn verdict(goals: &[Goal]) -> String {
    let missed: Vec<&Goal> = goals.iter().filter(|goal| !goal.is_reached()).collect();
    let lines: String = missed.iter().map(|goal| goal.line()).collect();
    let between = if lines.is_empty() { "" } else { "\n" };
    format!("Goals reached: {} of {}.\n{between}{lines}", goals.len() - missed.len(), goals.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_missed_by_how_many_times_too_much_or_too_little_there_is() {
        assert_eq!(Bound::AtMost(4.0).missed_by(4.0), None);
        assert_eq!(Bound::AtMost(4.0).missed_by(6.0), Some(1.5));
        assert_eq!(Bound::AtLeast(5_000.0).missed_by(2_500.0), Some(2.0));
        assert_eq!(Bound::AtLeast(5_000.0).missed_by(9_000.0), None);
        assert_eq!([PACED, CONNECTS].map(|bound| bound.to_string()), ["≤ 1.15", "≥ 5000"]);
    }

    #[test]
    fn there_is_a_line_for_what_is_not_reached_and_for_nothing_else() {
        let goal = |name, figure| Goal {
            name,
            figures: vec![
                ("at 1".to_owned(), Bound::AtMost(2.0), 1.0),
                ("at 2".to_owned(), Bound::AtMost(2.0), figure),
            ],
        };
        let text = verdict(&[goal("one", 2.0), goal("two", 3.0)]);
        assert_eq!(
            text,
            "Goals reached: 1 of 2.\n\n- **two**: at 1 reached; at 2 not reached: 1.50 × (3.00, wanted ≤ 2).\n"
        );
        assert_eq!(verdict(&[goal("one", 2.0)]), "Goals reached: 1 of 1.\n");
    }
}
