//! What a body says, read.

use std::{collections::HashSet, fmt, sync::Arc};

use crate::{
    feed::{Format, Row, cache::Digest},
    indicator::Indicator,
    policy::{FeedRows, Label},
};

/// Warnings kept per feed.
const MAX_WARNINGS: usize = 20;

/// An accepted body.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// One per file of a directory, else one.
    pub parts: Vec<PartRows>,
    /// SHA-256 of the bytes, wherever they come from.
    pub said: Digest,
    /// Files of a directory that were no feed this time: what they said before stays.
    pub unread: Vec<Unheard>,
    pub warnings: Vec<String>,
}

/// A file whose new content was not taken.
#[derive(Clone, Debug)]
pub struct Unheard {
    /// Its path.
    pub source: String,
    /// What is wrong with it, and what is in force instead.
    pub why: String,
}

impl Unheard {
    pub(super) fn new(source: &str, reason: &dyn fmt::Display, last: Option<&PartRows>) -> Self {
        let left = match last {
            Some(_) => "what it said before stays in force",
            None => "nothing of it is in force",
        };
        Self {
            source: source.to_owned(),
            why: format!("{reason}: {left}"),
        }
    }
}

/// The rows of one file or response.
#[derive(Clone, Debug)]
pub struct PartRows {
    /// The feed's name, with the file's where the feed is a directory.
    pub label: Arc<str>,
    pub(super) source: String,
    pub(super) format: Format,
    /// Shared as it was read: a copy of a million rows takes as long as reading them.
    pub(super) rows: Arc<Vec<Row>>,
    /// What the body says is not so any more.
    pub(super) withdrawn: Arc<[Indicator]>,
    pub rejected: u64,
    pub ignored: u64,
    /// The body's own count was there and right.
    pub(super) counted: bool,
}

impl PartRows {
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl Content {
    /// Without the rows of these indicators.
    pub fn without(mut self, gone: &HashSet<Indicator>) -> Self {
        for part in &mut self.parts {
            let rows = part.rows.iter();
            let left = rows.filter(|row| !gone.contains(&row.indicator));
            part.rows = Arc::new(left.cloned().collect());
        }
        self
    }

    pub(super) fn add(&mut self, rows: PartRows, warnings: Vec<String>) {
        let source = rows.source.clone();
        warnings
            .into_iter()
            .for_each(|warning| self.warn(format!("{source}: {warning}")));
        self.parts.push(rows);
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning);
        }
    }

    /// For merging, as the files of the feed of this label.
    pub fn rows(&self, of: &Label) -> impl Iterator<Item = FeedRows<'_>> {
        self.parts.iter().map(move |part| FeedRows {
            label: Label {
                name: Arc::clone(&part.label),
                ..of.clone()
            },
            rows: &part.rows,
        })
    }

    /// What it says is not so any more.
    pub fn withdrawn(&self) -> HashSet<Indicator> {
        let parts = self.parts.iter();
        parts
            .flat_map(|part| part.withdrawn.iter().copied())
            .collect()
    }

    /// Of each of its parts, without a copy.
    pub fn shared_rows(&self) -> Vec<Arc<Vec<Row>>> {
        let parts = self.parts.iter();
        parts.map(|part| Arc::clone(&part.rows)).collect()
    }

    pub(super) fn all_rows(&self) -> impl Iterator<Item = &Row> {
        self.parts.iter().flat_map(PartRows::rows)
    }

    /// Nothing is listed, and the body proves by its own count that nothing is meant to be.
    pub fn says_empty(&self) -> bool {
        let mut parts = self.parts.iter();
        self.total() == 0 && parts.all(|part| part.counted)
    }

    /// The URL or path of the (first) body, for messages.
    pub fn name(&self) -> String {
        let first = self.parts.first();
        first.map_or_else(String::new, |part| part.source.clone())
    }

    pub fn total(&self) -> usize {
        self.parts.iter().map(|part| part.rows.len()).sum()
    }

    /// The same rows as `other`: there is nothing to swap.
    pub fn same_rows(&self, other: &Self) -> bool {
        let rows = |content: &Self| {
            content
                .parts
                .iter()
                .map(|part| (Arc::clone(&part.label), Arc::clone(&part.rows)))
                .collect::<Vec<_>>()
        };
        rows(self) == rows(other)
    }
}
