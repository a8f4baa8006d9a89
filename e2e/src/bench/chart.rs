//! Times as an SVG: one bar each, on a scale of powers of ten.

use std::fmt::Write as _;

use super::figure::Figure;
use super::series::Series;
use crate::load::{Quantiles, Report};

const WIDTH: f64 = 640.0;
const LEFT: f64 = 190.0;
const ROW: f64 = 26.0;
/// Where the scale begins and how many powers of ten it has: 0.01 ms to 100 s.
const SCALE: (f64, f64) = (0.01, 7.0);

/// The chart of a series, with a bar for each part of all deliveries; `None` if nothing was said in the runs.
pub fn chart(series: &Series) -> Option<String> {
    let name = &series.own.first()?.name;
    let rows: Vec<(String, Figure)> = KINDS.iter().flat_map(|kind| kind.rows(&series.own)).collect();
    if rows.is_empty() {
        return None;
    }
    let runs = series.own.len();
    Some(bars(&format!("{name}: time in ms, median of {runs} runs; the line is their spread"), &rows))
}

/// A chart with a bar for each of these times, in ms.
pub fn bars(title: &str, rows: &[(String, Figure)]) -> String {
    let height = 48.0 + ROW * rows.len() as f64 + 24.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"8\" y=\"22\" font-size=\"14\">{title}</text>\n"
    );
    grid(&mut svg, height);
    for (number, (label, figure)) in rows.iter().enumerate() {
        bar(&mut svg, 48.0 + ROW * number as f64, (label, figure));
    }
    svg.push_str("</svg>\n");
    svg
}

struct Kind {
    name: &'static str,
    of: fn(&Report) -> Option<&Quantiles>,
}

const KINDS: [Kind; 3] = [
    Kind { name: "acknowledged", of: |report| Some(&report.traffic.as_ref()?.ack) },
    Kind { name: "delivered", of: |report| Some(&report.traffic.as_ref()?.delivery) },
    Kind { name: "delivered to the last", of: |report| Some(&report.traffic.as_ref()?.last_reader) },
];

type Part = (&'static str, fn(&Quantiles) -> f64);

impl Kind {
    fn rows(&self, reports: &[Report]) -> Vec<(String, Figure)> {
        let parts: [Part; 3] = [("p50", |of| of.p50), ("p99", |of| of.p99), ("p99.9", |of| of.p999)];
        let row = |(part, of): &Part| {
            let counted = reports.iter().filter_map(self.of).filter(|of| of.count > 0);
            Some((format!("{} {part}", self.name), Figure::of(counted.map(of))?))
        };
        parts.iter().filter_map(row).collect()
    }
}

/// Where a time is on the scale.
fn place(ms: f64) -> f64 {
    let (begin, powers) = SCALE;
    let part = (ms.max(begin) / begin).log10() / powers;
    LEFT + part.min(1.0) * (WIDTH - LEFT - 70.0)
}

fn grid(svg: &mut String, height: f64) {
    let (begin, powers) = SCALE;
    for power in 0..=powers as i32 {
        let ms = begin * 10_f64.powi(power);
        let x = place(ms);
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"36\" x2=\"{x:.1}\" y2=\"{:.0}\" stroke=\"#ddd\"/>\n\
             <text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#666\">{ms}</text>\n",
            height - 20.0,
            height - 6.0
        );
    }
}

fn bar(svg: &mut String, y: f64, (label, figure): (&str, &Figure)) {
    let (end, least, most) = (place(figure.median), place(figure.least), place(figure.most));
    let middle = y + 8.0;
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\n\
         <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"16\" fill=\"#4a7ebb\"/>\n\
         <line x1=\"{least:.1}\" y1=\"{middle:.1}\" x2=\"{most:.1}\" y2=\"{middle:.1}\" stroke=\"#222\" stroke-width=\"2\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\">{:.2}</text>\n",
        LEFT - 8.0,
        y + 12.5,
        (end - LEFT).max(1.0),
        end.max(most) + 6.0,
        y + 12.5,
        figure.median
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::sample;

    #[test]
    fn a_longer_time_has_a_longer_bar_and_nothing_leaves_the_picture() {
        let places = [0.0, 0.01, 1.0, 10.0, 1e5, 1e9].map(place);
        assert!(places.is_sorted() && places[0] == LEFT && places[5] < WIDTH, "{places:?}");
    }

    #[test]
    fn every_kind_of_time_has_its_bars() {
        let svg = chart(&Series { own: vec![sample()], other: Vec::new() }).unwrap();
        assert_eq!(svg.matches("<rect x=").count(), 9);
        assert!(svg.contains("delivered p99.9") && svg.ends_with("</svg>\n"), "{svg}");
        let silent = Report { traffic: None, ..sample() };
        assert_eq!(chart(&Series { own: vec![silent], other: Vec::new() }), None);
    }
}
