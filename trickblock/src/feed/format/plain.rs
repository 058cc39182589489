//! One entry a line, with `#` and `;` comments and an optional score column.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
    num::NonZeroU16,
};

use super::{
    entry::{self, Entry},
    lines::{MAX_LINE, lines},
};
use crate::{
    feed::{NotAFeed, collect::Collector},
    indicator::{Indicator, Sighting},
};

/// Reads a plain list. An error when its header shows that it is a table with ports.
pub(super) fn read(text: &str, out: &mut Collector) -> Result<(), NotAFeed> {
    let is_data = |line: &str| !line.is_empty() && !line.starts_with(['#', ';']);
    let first = lines(text).find(|(_, line)| is_data(line));
    if first.is_some_and(|(_, line)| names_port(line)) {
        return Err(NotAFeed::Unrecognised {
            looks_like: "a table with a column of ports".into(),
            fix: "write each row as address:port, or the port would be lost".into(),
        });
    }
    for (number, line) in lines(text) {
        read_line(out, number, line);
    }
    Ok(())
}

/// Whether a line is a header such as `ip,port`: words, one of which means a port.
fn names_port(line: &str) -> bool {
    let is_port = |field: &str| {
        let name = field.to_ascii_lowercase();
        let last = name
            .rsplit(|c: char| !c.is_alphanumeric())
            .find(|word| !word.is_empty());
        last.is_some_and(|word| ["port", "ports", "dstport", "dport", "destport"].contains(&word))
    };
    let mut fields = line.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
    let is_header = line.len() <= MAX_LINE && !line.contains(['.', ':', '/']);
    is_header && fields.clone().nth(1).is_some() && fields.any(is_port)
}

/// Reads Feodo Tracker's list of addresses: plain, with a footer that counts them.
pub(super) fn read_feodo(text: &str, out: &mut Collector) {
    for (number, line) in lines(text) {
        match line.strip_prefix('#').and_then(footer) {
            Some(stated) => out.confirm(stated),
            None => read_line(out, number, line),
        }
    }
}

/// The number in Feodo Tracker's footer: ` END 375 entries`, without its `#`.
pub(in crate::feed) fn footer(comment: &str) -> Option<u64> {
    let mut words = comment.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')'));
    let mut word = || words.find(|word| !word.is_empty());
    let (end, number, entries) = (word()?, word()?, word()?);
    let is_footer = end == "END" && entries.starts_with("entr");
    stated(number).filter(|_| is_footer)
}

/// A count that a list states of itself. One that is larger than any list is still one, and wrong.
pub(in crate::feed) fn stated(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Reads a line that may be blank or a comment.
pub(super) fn read_line(out: &mut Collector, number: u32, line: &str) {
    if let Some(indicator) = usual(line) {
        return out.accept(number, indicator, Sighting::default());
    }
    let data = without_comment(line);
    if data.is_empty() {
        return;
    }
    if line.len() > MAX_LINE {
        out.reject(number, line, "the line is longer than 4096 bytes");
        return;
    }
    if let Some((first, last)) = data.split_once(" - ") {
        entry::file(
            out,
            number,
            &format!("{}-{}", first.trim(), last.trim()),
            data,
        );
        return;
    }
    let (first, rest) = columns(data);
    match checked(first, rest, line.get(data.len()..).unwrap_or_default()) {
        Ok(()) => entry::file(out, number, first, data),
        Err(reason) => out.reject(number, line, reason),
    }
}

/// Nearly every line of nearly every list is an IPv4 address, or one with a port, and nothing else.
fn usual(line: &str) -> Option<Indicator> {
    if let Ok(address) = line.parse::<Ipv4Addr>() {
        return Some(Indicator::host(IpAddr::V4(address)));
    }
    let socket: SocketAddrV4 = line.parse().ok()?;
    // A port that begins with a zero is looked at more closely.
    let plain = line
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.starts_with('0'));
    let port = NonZeroU16::new(socket.port()).filter(|_| plain)?;
    let address = IpAddr::V4(*socket.ip());
    Some(Indicator::new(address.into(), None, Some(port)))
}

/// Why a row may mean less than its address alone says.
#[derive(Debug, thiserror::Error)]
enum BadRow {
    #[error("`{number}` could be a port: write {fixed}")]
    Port { number: String, fixed: String },
    #[error("more than one address: write one indicator per line")]
    Second,
    #[error("only a score from 0 to 100 may follow the address, after a blank")]
    Column,
}

/// Whether what stands behind an entry leaves its meaning alone. `rest` keeps its separator.
fn checked(first: &str, rest: &str, comment: &str) -> Result<(), BadRow> {
    if let Some(column) = semicolon_column(comment) {
        return judged(first, column);
    }
    let value = entry::unquote(rest.trim_matches(|c: char| c.is_whitespace() || c == ','));
    let by_comma = rest.trim_start().starts_with(',');
    // No port has a decimal point, so that one may follow a comma.
    if value.is_empty() || (is_score(value) && (!by_comma || value.contains('.'))) {
        return Ok(());
    }
    judged(first, value)
}

/// Judges a column that is no score.
fn judged(first: &str, column: &str) -> Result<(), BadRow> {
    let mut words = column.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
    if entry::read(first).is_ok() && words.any(|word| is_indicator(entry::unquote(word))) {
        return Err(BadRow::Second);
    }
    if !is_number(column) {
        return Err(BadRow::Column);
    }
    match entry::read(first) {
        Ok(Entry::One(written)) if written.indicator.port.is_none() => Err(could_be_port(
            column,
            &with_port(entry::unquote(first), column),
        )),
        Ok(Entry::Range(_)) => Err(could_be_port(column, "a prefix with :port")),
        // A port is there already, or nothing is taken from the row.
        _ => Ok(()),
    }
}

fn could_be_port(number: &str, fixed: &str) -> BadRow {
    BadRow::Port {
        number: number.to_owned(),
        fixed: fixed.to_owned(),
    }
}

fn with_port(host: &str, port: &str) -> String {
    match host.matches(':').count() {
        0 => format!("{host}:{port}"),
        _ => format!("[{}]:{port}", host.trim_matches(['[', ']'])),
    }
}

/// What a comment behind `;` holds if that is a column: a number or an address.
fn semicolon_column(comment: &str) -> Option<&str> {
    let column = comment.trim_start().strip_prefix(';')?;
    let word = column
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '#'))
        .next()?;
    let field = column.split([',', ';', '#']).next()?.trim();
    [word, field]
        .map(entry::unquote)
        .into_iter()
        .find(|text| is_number(text) || is_indicator(text))
}

/// Cuts a comment off. A quote before it does not protect it: no entry holds either character.
fn without_comment(line: &str) -> &str {
    let end = line.bytes().position(|byte| byte == b'#' || byte == b';');
    end.and_then(|end| line.get(..end))
        .map_or(line, str::trim_end)
}

/// The entry and whatever follows it. A comma ends an entry unless that is a URL.
fn columns(data: &str) -> (&str, &str) {
    let by_comma = !data.contains("://");
    let end = data.find(|c: char| c.is_whitespace() || (c == ',' && by_comma));
    data.split_at(end.unwrap_or(data.len()))
}

/// One number from 0 to 100.
fn is_score(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = is_number(whole) && is_number(fraction);
    digits && text.parse::<f64>().is_ok_and(|score| score <= 100.0)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An address, with or without more: two dots or a colon, beside digits.
fn is_indicator(text: &str) -> bool {
    let numbered = text.bytes().any(|byte| byte.is_ascii_hexdigit());
    let dotted = text.matches('.').count() > 1 || text.contains(':');
    numbered && dotted && entry::looks_like_one(text)
}

#[cfg(test)]
mod tests;
