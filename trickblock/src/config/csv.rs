//! The `[feed.csv]` table: where a list of somebody's own has its columns.

use std::ops::Range;

use toml::{Spanned, de::DeValue};

use super::section::Section;
use crate::feed::csv_layout::{Column, Condition, CsvLayout, Field};

pub(super) const KEYS: &[&str] = &[
    "delimiter",
    "quote",
    "comment",
    "header",
    "columns",
    "only",
    "except",
];

/// The layout that `[feed.csv]` describes.
pub(super) fn layout(section: &mut Section<'_, '_, '_>) -> CsvLayout {
    let default = CsvLayout::default();
    let mut conditions = conditions(section, "only", true);
    conditions.extend(self::conditions(section, "except", false));
    CsvLayout {
        delimiter: section
            .parsed("delimiter", delimiter)
            .map_or(default.delimiter, |(sign, _)| sign),
        quote: section
            .parsed("quote", sign)
            .map_or(default.quote, |(sign, _)| {
                sign.and_then(|sign| u8::try_from(sign).ok())
            }),
        comment: section
            .parsed("comment", sign)
            .map_or(default.comment, |(sign, _)| sign),
        header: section.boolean("header").unwrap_or(default.header),
        columns: columns(section),
        conditions,
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    let one = sign(text).ok().flatten();
    let sign = one.and_then(|sign| u8::try_from(sign).ok());
    sign.ok_or_else(|| {
        format!("`{text}` is not one plain sign: write one, such as \",\", \";\" or \"\\t\"")
    })
}

/// One ASCII sign, or none.
fn sign(text: &str) -> Result<Option<char>, String> {
    let mut signs = text.chars();
    match (signs.next(), signs.next()) {
        (None, _) => Ok(None),
        (Some(sign), None) if sign.is_ascii() => Ok(Some(sign)),
        _ => Err(format!(
            "`{text}` is not one plain sign: write one, or \"\" for none"
        )),
    }
}

fn columns(section: &mut Section<'_, '_, '_>) -> Vec<(Field, Column)> {
    const EXPECTED: &str = "a table, such as { ip = \"dst_ip\", port = 2 }";
    let mut found = Vec::new();
    for (name, span, value) in entries(section, "columns", EXPECTED) {
        let role = Field::ALL.iter().find(|(known, _)| *known == name);
        match (role, column(value.get_ref())) {
            (Some((_, role)), Some(column)) => found.push((*role, column)),
            (None, _) => {
                let known: Vec<&str> = Field::ALL.iter().map(|(name, _)| *name).collect();
                let text = format!("`{name}` in `columns`: it knows {}", known.join(", "));
                section.problems().at(&span, text);
            }
            (_, None) => {
                let text = format!(
                    "`{name}` in `columns` must be the name of a column, or its number from 1"
                );
                section.problems().at(&value.span(), text);
            }
        }
    }
    let has_address = found
        .iter()
        .any(|(role, _)| matches!(role, Field::Ip | Field::IpPort));
    if let Some(span) = section.key_span("columns").filter(|_| !has_address) {
        section.problems().at(
            &span,
            "`columns` names neither `ip` nor `ip_port`: say where the address is",
        );
    }
    found
}

fn column(value: &DeValue<'_>) -> Option<Column> {
    if let Some(name) = value.as_str() {
        return Some(Column::Named(name.to_owned()));
    }
    let integer = value.as_integer()?;
    let number = usize::from_str_radix(integer.as_str(), integer.radix()).ok()?;
    (number > 0).then_some(Column::Number(number))
}

fn conditions(section: &mut Section<'_, '_, '_>, key: &str, wanted: bool) -> Vec<Condition> {
    const EXPECTED: &str = "a table, such as { threat_type = [\"botnet_cc\"] }";
    let mut found = Vec::new();
    for (name, _, value) in entries(section, key, EXPECTED) {
        let Some(values) = values(value.get_ref()) else {
            let text = format!("`{name}` in `{key}` must be a list of strings");
            section.problems().at(&value.span(), text);
            continue;
        };
        // A name of digits is a number: TOML has no other keys.
        let column = match name.parse::<usize>() {
            Ok(number) if number > 0 => Column::Number(number),
            _ => Column::Named(name),
        };
        found.push(Condition {
            column,
            values,
            wanted,
        });
    }
    found
}

fn values(value: &DeValue<'_>) -> Option<Vec<String>> {
    let strings = value.as_array()?.iter();
    strings
        .map(|item| item.get_ref().as_str().map(str::to_owned))
        .collect()
}

type Entry<'t> = (String, Range<usize>, &'t Spanned<DeValue<'t>>);

/// The entries of a table inside of the section.
fn entries<'t>(section: &mut Section<'t, '_, '_>, key: &str, expected: &str) -> Vec<Entry<'t>> {
    let Some(value) = section.raw(key) else {
        return Vec::new();
    };
    let Some(table) = value.get_ref().as_table() else {
        section.wrong_type(key, value, expected);
        return Vec::new();
    };
    table
        .iter()
        .map(|(name, value)| (name.get_ref().to_string(), name.span(), value))
        .collect()
}
