//! Chart of the times for a delivery of 256 bytes.

use std::fmt::Write;

use crate::figure::Figure;

const BAR: u32 = 26;
const LABELS: u32 = 260;
const BARS: u32 = 460;

pub(crate) const PREFIX: &str = "nanoseconds_";

/// Draws one bar per figure in nanoseconds, the shortest first.
pub(crate) fn svg(figures: &[Figure]) -> String {
    let mut bars: Vec<_> = figures
        .iter()
        .filter_map(|figure| Some((figure.name.strip_prefix(PREFIX)?, figure.value)))
        .filter(|(name, _)| !name.starts_with("reject") && !name.starts_with("added"))
        .collect();
    bars.sort_by(|one, other| one.1.total_cmp(&other.1));
    let longest = bars.last().map_or(1.0, |(_, value)| *value);
    let width = LABELS + BARS + 80;
    let height = BAR * (bars.len() as u32 + 1) + 8;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"8\" y=\"18\" font-weight=\"bold\">Nanoseconds for a delivery of 256 bytes</text>\n"
    );
    for (row, (name, value)) in (1..).zip(&bars) {
        let top = BAR * row;
        let length = value / longest * f64::from(BARS);
        let color = if name.starts_with("verify") {
            "#2b6cb0"
        } else {
            "#a0aec0"
        };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LABELS}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\" fill=\"{color}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{value:.0}</text>",
            LABELS - 8,
            top + 18,
            name.replace('_', " "),
            top + 4,
            BAR - 8,
            f64::from(LABELS) + length + 6.0,
            top + 18,
        );
    }
    svg.push_str("</svg>\n");
    svg
}
