//! Mistakes in a configuration, each with its place.

use std::{
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
};

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "{path}: cannot be read ({source}): correct the path given with -c, or the file's permissions"
    )]
    Read { path: PathBuf, source: io::Error },
    /// Never empty; in the order of the file.
    #[error("{}", join(.0))]
    Invalid(Vec<Problem>),
}

/// One mistake: where, what, and how to put it right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Line and column from 1; `None` when no place in the file can be named.
    pub place: Option<(usize, usize)>,
    /// The configuration file, or the flag.
    pub source: String,
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.source, self.text),
            None => write!(f, "{}: {}", self.source, self.text),
        }
    }
}

/// Collects the mistakes of one file.
pub(super) struct Problems<'a> {
    path: &'a Path,
    text: &'a str,
    list: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        Self {
            path,
            text,
            list: Vec::new(),
        }
    }

    /// `span` is in bytes of the file's text.
    pub(super) fn at(&mut self, span: &Range<usize>, text: impl Into<String>) {
        let place = Some(self.place(span.start));
        self.push(place, text.into());
    }

    pub(super) fn general(&mut self, text: impl Into<String>) {
        self.push(None, text.into());
    }

    /// The line of `span`, for a mistake that refers to another place.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.place(span.start).0
    }

    /// The directory against which the file's relative paths are meant.
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn into_error(mut self) -> ConfigError {
        // Missing things come last: they have no place.
        self.list
            .sort_by_key(|problem| (problem.place.is_none(), problem.place));
        ConfigError::Invalid(self.list)
    }

    fn push(&mut self, place: Option<(usize, usize)>, text: String) {
        self.list.push(Problem {
            place,
            source: self.path.display().to_string(),
            text,
        });
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before
            .rfind('\n')
            .map_or(0, |newline| newline.saturating_add(1));
        let line = before.matches('\n').count().saturating_add(1);
        let column = before
            .get(line_start..)
            .unwrap_or_default()
            .chars()
            .count()
            .saturating_add(1);
        (line, column)
    }
}

fn join(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(Problem::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
