//! What the numbers say, in words. All of it follows from the medians in the tables.

use super::measured::{Kind, Look, Measured, Pace, Pages, Row};
use crate::bench::store::Store;
use crate::bench::study::Study;

type State = fn(&Row) -> &Pages;

/// The conclusion, a line for each store.
pub fn conclusion(study: &Study<Measured>) -> String {
    let readers = study.readers();
    let Some((fewest, most)) = readers.first().copied().zip(readers.last().copied()) else {
        return String::new();
    };
    let lines = [Store::Embedded, Store::Mongo].into_iter();
    let lines = lines.filter_map(|store| View { study, store, fewest, most }.line());
    lines.map(|line| format!("- {line}\n")).collect()
}

/// One store.
struct View<'a> {
    study: &'a Study<Measured>,
    store: Store,
    /// Readers.
    fewest: u32,
    /// Readers.
    most: u32,
}

impl View<'_> {
    fn line(&self) -> Option<String> {
        let messages = self.study.rows().find(|row| row.store == self.store)?.messages;
        let most = self.most;
        let (warm, cold) = (self.slowest(|row| &row.warm)?, self.slowest(|row| &row.cold)?);
        let silence = self.silence().unwrap_or_default();
        Some(format!(
            "**{}, {messages} messages.** {most} readers get {warm}, and right after it was opened {cold}.{silence}",
            self.store
        ))
    }

    /// The kind of which most readers get the fewest pages, and how long nearly all of them take.
    fn slowest(&self, state: State) -> Option<String> {
        let of = |kind| self.median((kind, self.most), |row| state(row).pages_per_second);
        let rates = self.kinds().filter_map(|kind| Some((kind, of(kind)?)));
        let (kind, rate) = rates.min_by(|(_, one), (_, other)| one.total_cmp(other))?;
        let p99 = self.median((kind, self.most), |row| state(row).p99_ms)?;
        Some(format!("{rate:.0} pages a second of the slowest kind (*{}*, p99 {p99:.2} ms)", kind.page()))
    }

    /// What a silence costs, beside a page before any message of the same channels.
    fn silence(&self) -> Option<String> {
        let kind = |look| Kind { store: self.store, pace: Pace::Quiet, look };
        let of = |look| self.median((kind(look), self.fewest), |row| row.warm.p50_ms);
        let times = of(Look::OverSilence)? / of(Look::Before)?;
        Some(format!(
            " In quiet channels a page over a silence takes {times:.2} times as long as one before any message, of which there \
             are many more (p50, readers: {}).",
            self.fewest
        ))
    }

    fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.study.kinds().into_iter().filter(|kind| kind.store == self.store)
    }

    fn median(&self, which: (Kind, u32), of: impl Fn(&Row) -> f64) -> Option<f64> {
        Some(self.study.figure(which, of)?.median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::history::sample;

    #[test]
    fn the_words_are_those_of_the_numbers() {
        let text = conclusion(&sample());
        for part in [
            "- **embedded, 1000000 messages.** 64 readers get 250 pages a second of the slowest kind (*quiet, over a silence*, \
             p99 576.00 ms), and right after it was opened 62 pages a second",
            "- **mongo, 200000 messages.** 64 readers get 25 pages a second of the slowest kind",
            "a page over a silence takes 1.50 times as long as one before any message",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn other_numbers_have_other_words() {
        let mut study = sample();
        for row in study.parts.iter_mut().flat_map(|part| &mut part.measured.rows) {
            if row.look == Look::Newest {
                row.warm.pages_per_second = 7.0;
            }
        }
        let text = conclusion(&study);
        assert!(text.contains("get 7 pages a second of the slowest kind (*busy, newest*"), "{text}");
    }

    #[test]
    fn what_was_not_measured_is_not_spoken_of() {
        let mut study = sample();
        for part in &mut study.parts {
            part.measured.rows.retain(|row| row.store == Store::Embedded && row.look != Look::OverSilence);
        }
        let text = conclusion(&study);
        assert!(text.contains("embedded") && !text.contains("mongo") && !text.contains("silence"), "{text}");
        study.parts.clear();
        assert_eq!(conclusion(&study), "");
    }
}
