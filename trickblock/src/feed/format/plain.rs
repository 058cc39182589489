//! One entry a line, with `#` and `;` comments and an optional score column.

use super::{
    entry,
    lines::{MAX_LINE, lines},
};
use crate::feed::collect::Collector;

/// Reads a plain list.
pub(super) fn read(text: &str, out: &mut Collector) {
    for (number, line) in lines(text) {
        read_line(out, number, line);
    }
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
    number.parse().ok().filter(|_| is_footer)
}

/// Reads a line that may be blank or a comment.
pub(super) fn read_line(out: &mut Collector, number: u32, line: &str) {
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
    if is_score(rest) {
        entry::file(out, number, first, data);
    } else {
        out.reject(number, data, "only a score may follow the address");
    }
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
    let (first, rest) = data.split_at(end.unwrap_or(data.len()));
    (
        first,
        rest.trim_matches(|c: char| c.is_whitespace() || c == ','),
    )
}

/// Nothing, or one decimal number.
fn is_score(text: &str) -> bool {
    let number = entry::unquote(text).trim_start_matches(['-', '+']);
    text.is_empty()
        || (number.starts_with(|first: char| first.is_ascii_digit())
            && number
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.'))
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
             192.0.2.4,7\n\"192.0.2.5\",\"7\"\n192.0.2.0/28 ; SBL1\n192.0.2.6#x",
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
                (6, "only a score may follow the address"),
            ]
        );
        assert_eq!(parsed.rejections[2].text, "192.0.2.5 Emotet 7");
        assert_eq!(parsed.total(), 7);
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
