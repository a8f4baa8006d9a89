//! The results as one table.

use std::fmt::Write;

use crate::cell::{Cell, Figures};

/// One line.
pub struct Row {
    pub store: &'static str,
    pub cell: Cell,
    pub warm: Figures,
    /// Right after it was opened.
    pub cold: Figures,
}

pub fn of(rows: &[Row]) -> String {
    let mut text = String::from(
        "pages of 50 messages; times in ms, on the right right after the store was opened\n\
         store    channel, page         readers | pages/s     p50     p99     max | pages/s     p50     p99     max\n",
    );
    for Row { store, cell, warm, cold } in rows {
        let (warm, cold) = (figures(warm), figures(cold));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{store:<8} {:<21} {:>7} | {warm} | {cold}", cell.view, cell.readers);
    }
    text
}

fn figures(of: &Figures) -> String {
    let (rate, p50, p99, max) = (of.pages_per_second(), of.ms(0.5), of.ms(0.99), of.ms(1.0));
    format!("{rate:>7.0} {p50:>7.2} {p99:>7.2} {max:>7.1}")
}
