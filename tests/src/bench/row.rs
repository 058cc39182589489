//! One line of the result.

use super::{
    corpus::Corpus,
    stats::Summary,
    target::{Method, Target},
};

/// One target on one corpus with a list of one size.
#[derive(Clone, Debug)]
pub struct Row {
    pub method: Method,
    pub target: Target,
    pub corpus: Corpus,
    pub indicators: usize,
    /// `None` where it could not be measured; the note says why.
    pub measured: Option<Measured>,
    /// What the figures alone do not say; empty where nothing.
    pub note: String,
}

/// In nanoseconds, and ratios to what was measured in the same rounds.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Per packet; on veth the receiver's side alone.
    pub ns: Summary,
    /// With the bare program of the same round subtracted.
    pub net_ns: f64,
    /// Cost in comparison with the parser, harness included.
    pub to_parse_pass: Option<f64>,
    /// On veth: with the generator.
    pub whole_ns: Option<f64>,
    /// On veth: the rate in comparison with that of a bare drop, generator included.
    pub to_bare_drop: Option<f64>,
    pub rounds: usize,
}

impl Row {
    /// A row without figures.
    pub fn missing(
        method: Method,
        (target, corpus, indicators): (Target, Corpus, usize),
        note: impl Into<String>,
    ) -> Self {
        Self {
            method,
            target,
            corpus,
            indicators,
            measured: None,
            note: note.into(),
        }
    }

    /// The median.
    pub fn ns(&self) -> Option<f64> {
        self.measured.as_ref().map(|measured| measured.ns.median)
    }
}

/// The figures of one row, if it has any.
pub fn find(
    rows: &[Row],
    method: Method,
    (target, corpus, indicators): (Target, Corpus, usize),
) -> Option<&Measured> {
    let is_it = |row: &&Row| {
        let cell = (row.target, row.corpus, row.indicators);
        row.method == method && cell == (target, corpus, indicators)
    };
    rows.iter().find(is_it)?.measured.as_ref()
}
