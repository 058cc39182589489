//! One entry a line, with `#` and `;` comments and an optional score column.

use std::net::{IpAddr, Ipv4Addr};

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
    // Nearly every line of nearly every list is an address and nothing else.
    if let Ok(address) = line.parse::<Ipv4Addr>() {
        let indicator = Indicator::host(IpAddr::V4(address));
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
mod tests {
    use crate::feed::{Format, NotAFeed, Parsed, parse};

    fn plain(body: &str) -> Parsed {
        parse(body.as_bytes(), Some(Format::Plain)).unwrap()
    }

    fn indicators(parsed: &Parsed) -> Vec<(u32, String)> {
        let shown = |row: &crate::feed::Row| (row.line, row.indicator.to_string());
        parsed.rows.iter().map(shown).collect()
    }

    #[test]
    fn comments_scores_and_blanks_around_entries() {
        let parsed = plain(
            "# list\r\n; old style\n\n 192.0.2.1 \n192.0.2.2\t10\n192.0.2.3 1.5 # why\n\
             192.0.2.4, 0.7\n\"192.0.2.5\" \"7\"\n192.0.2.0/28 ; SBL1\n192.0.2.6#x",
        );
        let found = indicators(&parsed);
        let expected = [
            (4, "192.0.2.1/32"),
            (5, "192.0.2.2/32"),
            (6, "192.0.2.3/32"),
            (7, "192.0.2.4/32"),
            (8, "192.0.2.5/32"),
            (9, "192.0.2.0/28"),
            (10, "192.0.2.6/32"),
        ];
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
        assert_eq!((parsed.rejected, parsed.ignored), (0, 0));
    }

    #[test]
    fn each_malformed_row_is_kept_with_its_line_and_reason() {
        let parsed = plain(
            "192.0.2.1\n010.1.1.1\n192.0.2.2\n192.0.2.3:0\n192.0.2.4\n192.0.2.5 Emotet 7\n192.0.2.6",
        );
        let found: Vec<_> = parsed
            .rejections
            .iter()
            .map(|r| (r.line, r.reason.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (
                    2,
                    "an octet begins with 0, which some programs read as octal"
                ),
                (4, "port 0 names no service"),
                (
                    6,
                    "only a score from 0 to 100 may follow the address, after a blank"
                ),
            ]
        );
        assert_eq!(parsed.rejections[2].text, "192.0.2.5 Emotet 7");
        assert_eq!(parsed.total(), 7);
    }

    /// The port of a table must not widen the rule to the whole address.
    #[test]
    fn a_number_that_could_be_a_port_is_rejected() {
        for (row, reason) in [
            (
                "203.0.113.1,443",
                "`443` could be a port: write 203.0.113.1:443",
            ),
            ("203.0.113.1, 80", "write 203.0.113.1:80"),
            ("203.0.113.1;443", "write 203.0.113.1:443"),
            ("203.0.113.1; 443 ;tcp", "write 203.0.113.1:443"),
            ("203.0.113.1 101", "write 203.0.113.1:101"),
            ("\"203.0.113.1\",\"443\"", "write 203.0.113.1:443"),
            ("2001:db8::1\t8080", "write [2001:db8::1]:8080"),
            ("203.0.113.0/24,7", "write 203.0.113.0/24:7"),
            ("203.0.113.1-203.0.113.4 443", "could be a port"),
            ("203.0.113.1 443 7", "only a score"),
            ("203.0.113.1 100.5", "only a score"),
            ("203.0.113.1 198.51.100.1", "one indicator per line"),
            ("203.0.113.1,2001:db8::1", "one indicator per line"),
            ("203.0.113.1;198.51.100.1", "one indicator per line"),
        ] {
            let parsed = plain(&format!("192.0.2.1\n{row}\n"));
            assert_eq!((parsed.rows.len(), parsed.rejected), (1, 1), "{row}");
            let found = &parsed.rejections[0].reason;
            assert!(found.contains(reason), "{row}: {found}");
        }
    }

    #[test]
    fn what_cannot_widen_anything_may_have_a_number() {
        let parsed = plain("192.0.2.1:443,7\n192.0.2.2 100\n192.0.2.3 0\nevil.example,443\n");
        assert_eq!((parsed.rows.len(), parsed.ignored), (3, 1));
        assert_eq!(parsed.rejected, 0, "{:?}", parsed.rejections);
    }

    #[test]
    fn a_header_with_a_port_column_is_no_list() {
        for header in [
            "ip,port",
            "\"IP\";\"Dst Port\"",
            "ip_address\tc2_port",
            "# x\nip port",
        ] {
            let body = format!("{header}\n192.0.2.1 80\n");
            let error = parse(body.as_bytes(), Some(Format::Plain)).unwrap_err();
            assert!(error.to_string().contains("address:port"), "{error}");
        }
        assert_eq!(plain("# ip:port\n192.0.2.1:80\nip\n").rows.len(), 1);
    }

    #[test]
    fn a_range_is_as_many_rows_as_prefixes() {
        let parsed = plain("192.0.2.0 - 192.0.2.2\n");
        assert_eq!(indicators(&parsed).len(), 2);
        assert_eq!(parsed.rows[0].line, parsed.rows[1].line);
    }

    #[test]
    fn host_bits_are_cleared_with_one_warning() {
        let parsed = plain("192.0.2.0/24\n192.0.2.9/24\n198.51.100.1/24\n");
        assert_eq!(parsed.warnings.len(), 1);
        assert!(
            parsed.warnings[0].starts_with("2 prefixes"),
            "{}",
            parsed.warnings[0]
        );
        assert!(parsed.warnings[0].ends_with("(first in line 2)"));
    }

    #[test]
    fn an_overlong_line_is_rejected_and_not_repeated() {
        let parsed = plain(&format!("192.0.2.1\n{}\n", "1".repeat(5000)));
        assert_eq!(parsed.rejected, 1);
        assert!(parsed.rejections[0].text.len() <= 120);
    }

    #[test]
    fn comments_alone_are_no_feed() {
        let error = parse(b"# moved\n", None).unwrap_err();
        assert!(
            matches!(
                error,
                NotAFeed::NoEntries {
                    format: Format::Plain,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn the_feodo_footer_decides_completeness() {
        for (body, complete) in [
            (
                "# Feodo Tracker Botnet C2 IP Blocklist\n192.0.2.1\n# END 1 entries",
                Some(true),
            ),
            (
                "# Feodo Tracker Botnet C2 IP Blocklist\n192.0.2.1\n# END 2 entries",
                Some(false),
            ),
            (
                "# Feodo Tracker Botnet C2 IP Blocklist\n# END 0 entries",
                Some(true),
            ),
            ("192.0.2.1\n# END 1 entries\n192.0.2.2", Some(false)),
            ("192.0.2.1\n# END 99999999999999999999 entries", Some(false)),
            ("192.0.2.1\n# END 1 entries\nxx", Some(false)),
            ("192.0.2.1\n# END 1 entries\n# bye\n", Some(true)),
            (
                "192.0.2.1\n# END 2 entries\n192.0.2.2\n# END 2 entries",
                Some(false),
            ),
            (
                "192.0.2.1\n# END 1 entries\n192.0.2.2\n# END 2 entries",
                Some(false),
            ),
            ("# Feodo Tracker Botnet C2 IP Blocklist\n192.0.2.1\n", None),
        ] {
            let parsed = parse(body.as_bytes(), None).unwrap();
            assert_eq!(
                (parsed.format, parsed.complete),
                (Format::FeodoTxt, complete),
                "{body}"
            );
        }
    }
}
