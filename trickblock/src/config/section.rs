//! One table of the file: typed access to its keys, and a word about each key that is not
//! one of ours.

use std::{
    fmt,
    ops::{Range, RangeInclusive},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::problem::Problems;

/// A value and where it stands.
pub(super) type Located<T> = (T, Range<usize>);

/// A table being read. A mistake is noted and its key counts as absent, so that one run
/// finds them all.
pub(super) struct Section<'t, 'p, 'a> {
    title: &'static str,
    table: Option<&'t DeTable<'t>>,
    span: Range<usize>,
    problems: &'p mut Problems<'a>,
}

impl<'t, 'p, 'a> Section<'t, 'p, 'a> {
    /// `title` as the file spells it, such as `[paths]`; keys that are not in `known` are
    /// mistakes.
    pub(super) fn new(
        title: &'static str,
        table: &'t DeTable<'t>,
        span: Range<usize>,
        known: &[&str],
        problems: &'p mut Problems<'a>,
    ) -> Self {
        check_keys(title, table, known, problems);
        Self {
            title,
            table: Some(table),
            span,
            problems,
        }
    }

    /// A section that the file does not have: every key is absent.
    pub(super) fn absent(title: &'static str, problems: &'p mut Problems<'a>) -> Self {
        Self {
            title,
            table: None,
            span: 0..0,
            problems,
        }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(super) fn title(&self) -> &'static str {
        self.title
    }

    pub(super) fn problems(&mut self) -> &mut Problems<'a> {
        self.problems
    }

    /// Where the key itself stands.
    pub(super) fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.table?.get_key_value(key).map(|(key, _)| key.span())
    }

    pub(super) fn raw(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table?.get(key)
    }

    /// A string that `parse` makes something of; its error says what is expected.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Located<T>> {
        let value = self.raw(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, "a string");
            return None;
        };
        match parse(text) {
            Ok(parsed) => Some((parsed, value.span())),
            Err(reason) => {
                self.problems.at(
                    &value.span(),
                    format!("`{key}` in {}: {reason}", self.title),
                );
                None
            }
        }
    }

    /// An array of strings that `parse` makes something of; each bad item is a mistake of
    /// its own.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let Some(value) = self.raw(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "an array of strings");
            return Vec::new();
        };
        let mut list = Vec::new();
        for item in items.iter() {
            let Some(text) = item.get_ref().as_str() else {
                self.wrong_type(key, item, "an array of strings");
                continue;
            };
            match parse(text) {
                Ok(parsed) => list.push(parsed),
                Err(reason) => self
                    .problems
                    .at(&item.span(), format!("`{key}` in {}: {reason}", self.title)),
            }
        }
        list
    }

    /// A whole number within `range`.
    pub(super) fn number<N>(&mut self, key: &str, range: RangeInclusive<N>) -> Option<N>
    where
        N: TryFrom<u32> + PartialOrd + fmt::Display,
    {
        let value = self.raw(key)?;
        let integer = value.get_ref().as_integer();
        let number =
            integer.and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok());
        let number = number.and_then(|number| N::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let expected = format!("a whole number from {} to {}", range.start(), range.end());
            self.wrong_type(key, value, &expected);
        }
        number
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, key: &str) -> Option<bool> {
        let value = self.raw(key)?;
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        truth
    }

    pub(super) fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let text = format!(
            "`{key}` in {} is {}: it must be {expected}",
            self.title,
            describe(value.get_ref())
        );
        self.problems.at(&value.span(), text);
    }
}

/// Notes each key of `table` that is not in `known`.
pub(super) fn check_keys(
    title: &str,
    table: &DeTable<'_>,
    known: &[&str],
    problems: &mut Problems<'_>,
) {
    for key in table.keys() {
        let name: &str = key.get_ref();
        if !known.contains(&name) {
            problems.at(&key.span(), unknown_key(name, title, known));
        }
    }
}

/// `unknown key … did you mean …`, or all keys where nothing is near.
fn unknown_key(name: &str, title: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("unknown key `{name}` in {title}; did you mean `{near}`?"),
        None => format!(
            "unknown key `{name}` in {title}; it knows {}",
            quoted(known)
        ),
    }
}

/// The option that `text` was probably meant to be.
pub(super) fn nearest<'a>(text: &str, options: &[&'a str]) -> Option<&'a str> {
    let lower = text.to_ascii_lowercase();
    let near = options
        .iter()
        .map(|option| (strsim::jaro_winkler(&lower, option), *option));
    let best = near.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.8).then_some(best.1)
}

/// "`a`, `b` and `c`".
pub(super) fn quoted(options: &[&str]) -> String {
    let marked: Vec<_> = options.iter().map(|option| format!("`{option}`")).collect();
    match marked.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => marked.concat(),
    }
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string \"{text}\""),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
