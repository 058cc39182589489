//! Figures that are not about single packets.

use super::stats::Summary;

/// What an update, a start or the memory costs.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Stable: programs read it.
    pub name: &'static str,
    pub what: &'static str,
    pub unit: &'static str,
    /// `None` where it was not measured; the note says why.
    pub value: Option<Summary>,
    pub note: String,
}

/// In the order that they are shown in.
const KNOWN: [(&str, &str, &str); 12] = [
    (
        "adds_per_s",
        "additions to a table of 1 M, 100,000 at once",
        "/s",
    ),
    ("one_add_us", "one addition to a table of 1 M, alone", "µs"),
    (
        "daemon_add_ms",
        "`block add` of one address while 1 M are in force, the whole command",
        "ms",
    ),
    ("swap_100k_ms", "whole-set swap, 100 k", "ms"),
    ("swap_1m_ms", "whole-set swap, 1 M", "ms"),
    (
        "text_to_attached_100k_s",
        "text of 100 k rows to attached",
        "s",
    ),
    ("cold_start_1m_s", "text of 1 M rows to attached", "s"),
    ("cold_start_10m_s", "text of 10 M rows to attached", "s"),
    (
        "bytes_per_indicator_1m",
        "kernel memory of one generation at 1 M, per indicator",
        "bytes",
    ),
    (
        "bytes_per_indicator_10m",
        "kernel memory of one generation at 10 M, per indicator",
        "bytes",
    ),
    (
        "daemon_bytes_per_indicator_1m",
        "the same of the daemon's own table, which has room for more",
        "bytes",
    ),
    (
        "daemon_private_mib_100k",
        "daemon's private memory at 100 k",
        "MiB",
    ),
];

/// All of them.
#[derive(Clone, Debug)]
pub struct Figures(pub Vec<Figure>);

impl Default for Figures {
    fn default() -> Self {
        let figure = |(name, what, unit)| Figure {
            name,
            what,
            unit,
            value: None,
            note: "not measured".to_owned(),
        };
        Self(KNOWN.into_iter().map(figure).collect())
    }
}

impl Figures {
    /// Keeps what was measured, or why it was not.
    pub fn set(&mut self, name: &str, measured: anyhow::Result<Vec<f64>>) {
        let Some(figure) = self.0.iter_mut().find(|figure| figure.name == name) else {
            return;
        };
        match measured {
            Ok(samples) => {
                figure.note = match samples.len() {
                    1 => String::new(),
                    count => format!("median of {count}"),
                };
                figure.value = Summary::of(samples);
            }
            Err(error) => figure.note = first_line(&error),
        }
    }

    /// The median.
    pub fn median(&self, name: &str) -> Option<f64> {
        let mut figures = self.0.iter();
        let figure = figures.find(|figure| figure.name == name)?;
        figure.value.map(|value| value.median)
    }
}

/// What went wrong, without the log that may follow.
pub fn first_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_keeps_its_median_or_the_reason() {
        let mut figures = Figures::default();
        figures.set("swap_1m_ms", Ok(vec![3.0, 1.0, 2.0]));
        figures.set("adds_per_s", Err(anyhow::anyhow!("a reason")));
        assert_eq!(figures.median("swap_1m_ms"), Some(2.0));
        assert_eq!(figures.median("adds_per_s"), None);
        assert_eq!(figures.0[0].note, "a reason");
    }
}
