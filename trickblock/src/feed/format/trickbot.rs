//! Trickbot's own configuration files. They look like XML but are not always well-formed, so
//! they are scanned for the tags that name servers and nothing else is asked of them.

use std::sync::Arc;

use super::entry::is_domain;
use crate::{
    feed::collect::{Collector, Note},
    indicator::{Malformed, Sighting, written},
};

const SERVERS: [&str; 3] = ["srv", "psrv", "handler"];
/// Later versions carry these beside the true ones; their values only look like addresses.
const DECOYS: [&str; 2] = ["srva", "psrva"];
const ROOTS: [&str; 3] = ["mcconf", "servconf", "dpost"];
const MAX_NAME: usize = 8;

/// Whether a text has one of Trickbot's tags.
pub(in crate::feed) fn has_marker(text: &str) -> bool {
    Tags::new(text)
        .any(|tag| ROOTS.contains(&tag.name.as_str()) || SERVERS.contains(&tag.name.as_str()))
}

/// Files every server tag. A decoy, and what a comment holds, is counted as ignored.
pub(super) fn read(text: &str, out: &mut Collector) {
    out.expect("a complete <srv>, <psrv> or <handler> tag");
    let family = out.family("TrickBot");
    for tag in Tags::new(text) {
        let decoy = DECOYS.contains(&tag.name.as_str());
        if !decoy && !SERVERS.contains(&tag.name.as_str()) {
            continue;
        }
        if !decoy && !tag.commented {
            file(out, &tag, family.as_ref());
            continue;
        }
        let note = if decoy { Note::Decoy } else { Note::Commented };
        out.note(tag.line, note);
        out.ignore();
    }
}

fn file(out: &mut Collector, tag: &Tag<'_>, family: Option<&Arc<str>>) {
    if !tag.closed {
        out.reject(tag.line, tag.value, "the tag is not closed");
        return;
    }
    let value = tag.value.trim();
    let authority = value
        .split_once("://")
        .map_or(value, |(_, rest)| rest.trim_end_matches('/'));
    match written(authority) {
        Ok(written) if written.indicator.port.is_none() => {
            out.reject(tag.line, value, Malformed::PortMissing);
        }
        Ok(written) => {
            let sighting = Sighting {
                family: family.cloned(),
                ..Sighting::default()
            };
            out.accept(tag.line, written.indicator, sighting);
        }
        Err(_) if is_domain(authority.split([':', '/']).next().unwrap_or_default()) => out.ignore(),
        Err(reason) => out.reject(tag.line, value, reason),
    }
}

/// An opening tag and the text behind it.
struct Tag<'a> {
    line: u32,
    /// In lower case.
    name: String,
    value: &'a str,
    /// The text ends with the closing tag of the same name.
    closed: bool,
    /// It stands inside `<!-- -->`.
    commented: bool,
}

struct Tags<'a> {
    rest: &'a str,
    line: u32,
    /// How much is left behind the last comment that began; less than that is outside of it.
    behind_comment: usize,
}

impl<'a> Tags<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            line: 1,
            behind_comment: text.len(),
        }
    }

    fn is_commented(&self) -> bool {
        self.rest.len() > self.behind_comment
    }

    /// Notes where a comment ends that begins here. One without an end hides all that follows.
    fn comment(&mut self) {
        if let Some(inner) = self
            .rest
            .strip_prefix("!--")
            .filter(|_| !self.is_commented())
        {
            self.behind_comment = inner.find("-->").map_or(0, |end| inner.len() - end - 3);
        }
    }

    /// Moves on by `count` bytes, which end at a character.
    fn skip(&mut self, count: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at(count);
        let newlines = skipped.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self
            .line
            .saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        self.rest = rest;
        skipped
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let open = self.rest.find('<')?;
            self.skip(open + 1);
            self.comment();
            let commented = self.is_commented();
            let Some(name) = name(self.rest) else {
                continue;
            };
            let line = self.line;
            self.skip(name.len() + 1);
            let end = self.rest.find('<').unwrap_or(self.rest.len());
            let value = self.skip(end);
            let name = name.to_ascii_lowercase();
            let closed = closes(self.rest, &name);
            return Some(Tag {
                line,
                name,
                value,
                closed,
                commented,
            });
        }
    }
}

/// The name of an opening tag without attributes, up to its `>`.
fn name(text: &str) -> Option<&str> {
    let length = text
        .bytes()
        .take(MAX_NAME + 1)
        .position(|byte| byte == b'>')?;
    let name = text.get(..length)?;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some(name)
}

fn closes(text: &str, name: &str) -> bool {
    let closing = text
        .strip_prefix("</")
        .and_then(|text| text.get(..name.len()));
    closing.is_some_and(|closing| closing.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use crate::feed::{Format, NotAFeed, Parsed, parse};

    fn read(body: &[u8]) -> Parsed {
        let parsed = parse(body, None).unwrap();
        assert_eq!(parsed.format, Format::Trickbot);
        parsed
    }

    fn shown(parsed: &Parsed) -> Vec<(u32, String)> {
        parsed
            .rows
            .iter()
            .map(|row| (row.line, row.indicator.to_string()))
            .collect()
    }

    #[test]
    fn all_three_kinds_of_servers() {
        let parsed = read(
            b"<mcconf>\r\n<ver>1000</ver>\r\n<servs>\r\n<srv>192.0.2.1:443</srv>\r\n\
              <psrv> 192.0.2.2:447 </psrv><SRV>192.0.2.3:449</SRV>\r\n</servs>\n\
              <dpost><handler>http://192.0.2.4:8082</handler><handler>https://192.0.2.5:443/</handler>",
        );
        let expected = [
            (4, "192.0.2.1/32:443"),
            (5, "192.0.2.2/32:447"),
            (5, "192.0.2.3/32:449"),
            (7, "192.0.2.4/32:8082"),
            (7, "192.0.2.5/32:443"),
        ];
        assert_eq!(
            shown(&parsed),
            expected.map(|(line, text)| (line, text.to_owned()))
        );
        assert_eq!(parsed.rows[0].sighting.family.as_deref(), Some("TrickBot"));
        assert_eq!(parsed.complete, None);
    }

    #[test]
    fn decoys_are_never_taken() {
        let parsed = read(
            b"<servconf><psrv>192.0.2.1:447</psrv>\n<psrva>198.51.100.1:447</psrva><srva>198.51.100.2:443</srva>",
        );
        assert_eq!(shown(&parsed).len(), 1);
        assert_eq!(parsed.ignored, 2);
        assert!(parsed.warnings[0].contains("decoys") && parsed.warnings[0].contains("line 2"));
    }

    #[test]
    fn what_is_commented_out_is_ignored() {
        let parsed = read(
            b"<servs><!-- old: <srv>192.0.2.1:443</srv>\n<!-- <psrv>192.0.2.2:443</psrv> -->\n\
              <srv>192.0.2.3:443</srv><!----><srv>192.0.2.4:443</srv>\n\
              <!-- cut <srv>192.0.2.5:443</srv>",
        );
        let expected = [(3, "192.0.2.3/32:443"), (3, "192.0.2.4/32:443")];
        assert_eq!(
            shown(&parsed),
            expected.map(|(line, text)| (line, text.to_owned()))
        );
        assert_eq!((parsed.ignored, parsed.rejected), (3, 0));
        assert!(parsed.warnings[0].contains("comments") && parsed.warnings[0].contains("line 1"));
    }

    #[test]
    fn onions_and_names_are_ignored_and_mistakes_rejected() {
        let parsed = read(
            b"<srv>abcdefghijklmnop.onion:448</srv><handler>https://evil.example:443</handler>\n\
              <srv>192.0.2.1:443</srv><srv>192.0.2.1:447:447</srv><srv>192.0.2.2</srv>\n\
              <srv>192.0.2.3:443</srv><srv>192.0.2.4:443<srv>192.0.2.5:443</srv>",
        );
        assert_eq!((shown(&parsed).len(), parsed.ignored), (3, 2));
        let reasons: Vec<_> = parsed
            .rejections
            .iter()
            .map(|r| r.reason.as_str())
            .collect();
        assert_eq!(
            reasons,
            [
                "there is more than one port",
                "the port is missing",
                "the tag is not closed"
            ]
        );
    }

    #[test]
    fn utf16_files_are_read() {
        let text = "\u{feff}<mcconf>\n<srv>192.0.2.1:443</srv>\n</mcconf>";
        let body: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(shown(&read(&body)), [(2, "192.0.2.1/32:443".to_owned())]);
    }

    #[test]
    fn garbage_with_a_marker_has_no_entries() {
        let body = b"\0\r<servconf>\r\n<pluginst\x04\0\x06psrv>192.0.2.1:447</\x9c\x02";
        let error = parse(body, None).unwrap_err();
        assert!(
            matches!(
                error,
                NotAFeed::NoEntries {
                    format: Format::Trickbot,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("<psrv>"));
    }
}
