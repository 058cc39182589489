//! Curves over list size, as SVG that reads on light and on dark pages.

use std::fmt::Write as _;

/// A chart with a logarithmic axis of list sizes.
pub struct Chart {
    pub title: &'static str,
    pub subtitle: String,
    /// With its unit.
    pub y_label: &'static str,
    /// Whether the vertical axis is logarithmic too; otherwise it begins at 0.
    pub logarithmic: bool,
    pub lines: Vec<Line>,
}

/// One curve, in the order of list sizes.
pub struct Line {
    pub name: String,
    /// Which of the colours it has: the same target has the same one in every chart.
    pub colour: usize,
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 500.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 700.0;
const TOP: f64 = 76.0;
const BOTTOM: f64 = 436.0;
/// Between two names at the ends of curves.
const LINE_HEIGHT: f64 = 17.0;

/// Of light pages and of dark ones.
const COLOURS: [(&str, &str); 8] = [
    ("#0b62c4", "#58a6ff"),
    ("#6e7781", "#8b949e"),
    ("#a40e26", "#ff7b72"),
    ("#b35900", "#f0a052"),
    ("#1a7f37", "#56d364"),
    ("#8250df", "#c297ff"),
    ("#0e7c86", "#39c5cf"),
    ("#bf3989", "#ff7bc5"),
];

impl Chart {
    /// The whole file.
    pub fn render(&self) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<title>{}</title>\n",
            self.title
        );
        svg.push_str(&style());
        self.frame(&mut svg);
        self.ticks(&mut svg);
        for line in &self.lines {
            self.curve(&mut svg, line);
        }
        self.names(&mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    fn frame(&self, svg: &mut String) {
        let middle = f64::midpoint(LEFT, RIGHT);
        let height = f64::midpoint(TOP, BOTTOM);
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<rect class=\"page\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\n\
             <text x=\"{LEFT}\" y=\"32\" font-size=\"18\" font-weight=\"600\">{}</text>\n\
             <text x=\"{LEFT}\" y=\"54\" class=\"quiet\">{}</text>\n\
             <text x=\"{middle}\" y=\"482\" text-anchor=\"middle\">indicators in the list</text>\n\
             <text transform=\"translate(22 {height}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
            self.title, self.subtitle, self.y_label
        );
    }

    fn ticks(&self, svg: &mut String) {
        for (value, name) in SIZES {
            if !self.xs().any(|x| x == value) {
                continue;
            }
            let x = self.x(value);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{x:.1} {TOP}V{BOTTOM}\"/><text x=\"{x:.1}\" y=\"456\" \
                 text-anchor=\"middle\">{name}</text>"
            );
        }
        for value in self.y_ticks() {
            let (y, below) = (self.y(value), self.y(value) + 4.0);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/><text x=\"{:.1}\" y=\"{below:.1}\" \
                 text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                thousands(value)
            );
        }
    }

    fn curve(&self, svg: &mut String, line: &Line) {
        let colour = line.colour % COLOURS.len();
        let at = |(x, y): &(f64, f64)| (self.x(*x), self.y(*y));
        let points: Vec<String> = line
            .points
            .iter()
            .map(at)
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline class=\"line c{colour}\" points=\"{}\"/>",
            points.join(" ")
        );
        for (x, y) in line.points.iter().map(at) {
            let _ = writeln!(
                svg,
                "<circle class=\"dot f{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"
            );
        }
    }

    /// Beside the ends of the curves, pushed apart where they would overlap.
    fn names(&self, svg: &mut String) {
        let ends = self.lines.iter().filter_map(|line| {
            let (x, y) = line.points.last()?;
            Some((self.y(*y), self.x(*x), line, *y))
        });
        let mut ends: Vec<_> = ends.collect();
        ends.sort_by(|one, other| one.0.total_cmp(&other.0));
        let heights: Vec<f64> = ends.iter().map(|end| end.0).collect();
        for ((y, x, line, value), height) in ends.into_iter().zip(apart(&heights)) {
            let colour = line.colour % COLOURS.len();
            let (from, to, below) = (x + 6.0, RIGHT + 12.0, height + 4.5);
            let _ = writeln!(
                svg,
                "<path class=\"lead c{colour}\" d=\"M{from:.1} {y:.1}L{to:.1} {height:.1}\"/>\
                 <text class=\"f{colour}\" x=\"{:.1}\" y=\"{below:.1}\">{} {}</text>",
                to + 4.0,
                line.name,
                figure(value)
            );
        }
    }

    fn xs(&self) -> impl Iterator<Item = f64> {
        let lines = self.lines.iter();
        lines.flat_map(|line| line.points.iter().map(|(x, _)| *x))
    }

    fn ys(&self) -> impl Iterator<Item = f64> {
        let lines = self.lines.iter();
        lines.flat_map(|line| line.points.iter().map(|(_, y)| *y))
    }

    fn x(&self, value: f64) -> f64 {
        let (low, high) = bounds(self.xs());
        let share = (value / low).ln() / (high / low).ln().max(f64::EPSILON);
        LEFT + 16.0 + share * (RIGHT - LEFT - 32.0)
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = self.range();
        let share = if self.logarithmic {
            (value / low).ln() / (high / low).ln()
        } else {
            value / high
        };
        BOTTOM - share * (BOTTOM - TOP)
    }

    /// The ends of the vertical axis.
    fn range(&self) -> (f64, f64) {
        let (low, high) = bounds(self.ys());
        if self.logarithmic {
            return (low / 1.25, high * 1.25);
        }
        let step = step(high);
        (0.0, (high / step).ceil() * step)
    }

    fn y_ticks(&self) -> Vec<f64> {
        let (low, high) = self.range();
        if self.logarithmic {
            let decades =
                (-3..7).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
            return decades.filter(|tick| (low..=high).contains(tick)).collect();
        }
        let step = step(high);
        (0..=12)
            .map(|index| f64::from(index) * step)
            .filter(|tick| *tick <= high)
            .collect()
    }
}

const SIZES: [(f64, &str); 5] = [
    (1e3, "1 k"),
    (1e4, "10 k"),
    (1e5, "100 k"),
    (1e6, "1 M"),
    (1e7, "10 M"),
];

fn style() -> String {
    let mut light = String::new();
    let mut dark = String::new();
    for (index, (on_light, on_dark)) in COLOURS.iter().enumerate() {
        let _ = write!(
            light,
            ".c{index}{{stroke:{on_light}}}.f{index}{{fill:{on_light}}}"
        );
        let _ = write!(
            dark,
            ".c{index}{{stroke:{on_dark}}}.f{index}{{fill:{on_dark}}}"
        );
    }
    format!(
        "<style>\n.page{{fill:#fff}}text{{fill:#1f2328}}.quiet{{fill:#59636e}}.grid{{stroke:#d1d9e0}}\
         .line{{fill:none;stroke-width:2.2}}.lead{{fill:none;opacity:.6;stroke-dasharray:1 5}}\n{light}\n\
         @media (prefers-color-scheme: dark){{\n\
         .page{{fill:#0d1117}}text{{fill:#e6edf3}}.quiet{{fill:#9198a1}}.grid{{stroke:#30363d}}\n{dark}\n}}\n\
         </style>\n"
    )
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let first = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.fold(first, |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low.is_finite() {
        (low, high)
    } else {
        (1.0, 10.0)
    }
}

/// A round number of which the highest value holds four to eight.
fn step(high: f64) -> f64 {
    let rough = (high / 6.0).max(1e-3);
    let decade = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * decade);
    let fitting = steps.into_iter().find(|step| *step >= rough);
    fitting.unwrap_or(10.0 * decade)
}

/// Sorted heights moved so that each is a line below the one before, and none below the chart.
fn apart(heights: &[f64]) -> Vec<f64> {
    let mut placed: Vec<f64> = Vec::new();
    for height in heights {
        let after = placed.last().map_or(TOP, |last| last + LINE_HEIGHT);
        placed.push(height.max(after));
    }
    let mut limit = BOTTOM + LINE_HEIGHT;
    for height in placed.iter_mut().rev() {
        *height = height.min(limit);
        limit = *height - LINE_HEIGHT;
    }
    placed
}

fn thousands(value: f64) -> String {
    if value >= 1_000.0 {
        format!(
            "{},{:03}",
            thousands((value / 1e3).floor()),
            (value % 1e3) as u64
        )
    } else if value == value.trunc() {
        format!("{value:.0}")
    } else {
        format!("{value}")
    }
}

/// Three digits.
pub fn figure(value: f64) -> String {
    match value {
        value if value >= 1_000.0 => thousands(value.round()),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(logarithmic: bool) -> Chart {
        let line = |name: &str, points: &[(f64, f64)]| Line {
            name: name.to_owned(),
            colour: 0,
            points: points.to_vec(),
        };
        Chart {
            title: "Cost",
            subtitle: String::new(),
            y_label: "ns",
            logarithmic,
            lines: vec![
                line("flat", &[(1e3, 25.0), (1e6, 25.0)]),
                line("same", &[(1e3, 25.0), (1e6, 25.1)]),
                line("steep", &[(1e3, 180.0), (1e6, 3_300.0)]),
            ],
        }
    }

    #[test]
    fn everything_is_inside_and_names_do_not_overlap() {
        for chart in [chart(false), chart(true)] {
            for (x, y) in chart.lines.iter().flat_map(|line| &line.points) {
                assert!((LEFT..=RIGHT).contains(&chart.x(*x)));
                assert!((TOP..=BOTTOM).contains(&chart.y(*y)));
            }
            let svg = chart.render();
            assert!(svg.contains("steep 3,300") && svg.contains(">1 M<"));
        }
        let placed = apart(&[100.0, 101.0, 102.0, 435.0, 436.0]);
        assert!(placed.is_sorted_by(|one, other| other - one >= LINE_HEIGHT));
    }

    #[test]
    fn nothing_measured_is_an_empty_chart() {
        let chart = Chart {
            lines: Vec::new(),
            ..chart(true)
        };
        assert!(!chart.render().contains("NaN"));
    }
}
