//! What is sent with every request: secrets, mostly.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use toml::de::{DeTable, DeValue};
use ureq::http::{HeaderName, HeaderValue};

use crate::config::{section::Section, value};

type Header = (HeaderName, HeaderValue);

/// Those of the configuration itself, then those of the file.
pub(super) fn headers(section: &mut Section<'_, '_, '_>) -> Vec<Header> {
    let mut headers = inline_headers(section);
    headers.extend(file_headers(section));
    headers
}

/// Names of the headers that a `[[feed]]` sends; `None` where they cannot be known, which is complained about
/// where the keys themselves are read.
pub(in crate::config) fn names(table: &DeTable<'_>, directory: &Path) -> Option<Vec<String>> {
    let mut names = Vec::new();
    if let Some(inline) = table.get("headers") {
        let inline = inline.get_ref().as_table()?;
        names.extend(inline.keys().map(|name| name.get_ref().to_string()));
    }
    if let Some(file) = table.get("headers_file") {
        let path = value::path(file.get_ref().as_str()?, directory).ok()?;
        let headers = read_headers(&path).ok()?;
        names.extend(headers.iter().map(|(name, _)| name.to_string()));
    }
    Some(names)
}

fn inline_headers(section: &mut Section<'_, '_, '_>) -> Vec<Header> {
    let Some(value) = section.raw("headers") else {
        return Vec::new();
    };
    let DeValue::Table(table) = value.get_ref() else {
        section.wrong_type(
            "headers",
            value,
            "a table, such as { Accept = \"text/csv\" }",
        );
        return Vec::new();
    };
    let mut headers = Vec::new();
    for (name, value) in table {
        match header(name.get_ref(), value.get_ref().as_str()) {
            Ok(header) => headers.push(header),
            Err(reason) => section
                .problems()
                .at(&value.span(), format!("`headers` in [[feed]]: {reason}")),
        }
    }
    headers
}

fn file_headers(section: &mut Section<'_, '_, '_>) -> Vec<Header> {
    let directory = section.problems().directory().to_owned();
    let read = |text: &str| read_headers(&value::path(text, &directory)?);
    section
        .parsed("headers_file", read)
        .map(|(headers, _)| headers)
        .unwrap_or_default()
}

/// The text of a file that holds secrets, and is open to its user alone.
pub(super) fn secret(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let unusable =
        |error| format!("{shown} cannot be read ({error}): create it, or correct the path");
    let mode = fs::metadata(path).map_err(unusable)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(format!(
            "{shown} is open to everybody although it holds secrets: run `chmod 600 {shown}`"
        ));
    }
    fs::read_to_string(path).map_err(unusable)
}

/// `Name: value` lines; blank lines and lines that begin with `#` are skipped.
fn read_headers(path: &Path) -> Result<Vec<Header>, String> {
    let (shown, text) = (path.display(), secret(path)?);
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(index, line)| {
            header_line(line)
                .map_err(|reason| format!("{shown}:{}: {reason}", index.saturating_add(1)))
        })
        .collect()
}

/// The line is not repeated in the error: it may be a secret.
fn header_line(line: &str) -> Result<Header, String> {
    let (name, value) = line
        .split_once(':')
        .ok_or("no colon in this line: write `Name: value`")?;
    header(name.trim(), Some(value.trim()))
}

fn header(name: &str, value: Option<&str>) -> Result<Header, String> {
    const OURS: [&str; 6] = [
        "host",
        "accept-encoding",
        "if-none-match",
        "if-modified-since",
        "content-length",
        "connection",
    ];
    let value = value.ok_or_else(|| format!("the value of `{name}` must be a string"))?;
    let name: HeaderName = name
        .parse()
        .map_err(|_| format!("`{name}` is not a header name: use letters, digits and `-`"))?;
    if OURS.contains(&name.as_str()) {
        return Err(format!("`{name}` is set by trickblock itself: remove it"));
    }
    let mut value: HeaderValue = value.parse().map_err(|_| {
        format!("the value of `{name}` has characters that no header may have: remove them")
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}
