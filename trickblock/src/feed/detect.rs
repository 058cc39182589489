//! Which format a body is in.

use super::{
    Format, NotAFeed,
    decode::is_binary,
    format::{
        crowdsec, entry, feodo_csv, lines::lines, misp, plain, spamhaus, stix, suricata, threatfox,
        trickbot,
    },
};

/// Lines looked at before giving up.
const PROBE: usize = 400;

/// Bytes of a JSON body in which its marks are looked for.
const HEAD: usize = 16 << 10;

/// Says what shows a format.
type JsonMark = fn(&str) -> Option<&'static str>;

const HTML: [&str; 6] = [
    "<!doctype html",
    "<html",
    "<head",
    "<body",
    "<?php",
    "<script",
];

/// A format, and what shows it.
type Known = (Format, &'static str);

/// The format of `text`: the forced one if the text can be in it, otherwise the one it shows.
pub(super) fn format(text: &str, forced: Option<Format>) -> Result<Known, NotAFeed> {
    let start = text.trim_start().trim_start_matches('\u{feff}');
    if begins_as_html(start) {
        return Err(NotAFeed::Html);
    }
    if let Some(forced) = forced {
        return Ok((forced, "it was given"));
    }
    if trickbot::has_marker(text) {
        return Ok((Format::Trickbot, "it has a tag of Trickbot's own files"));
    }
    if is_binary(text) {
        return Err(NotAFeed::Binary {
            kind: "binary data".into(),
            fix: "give the list itself, as text".into(),
        });
    }
    if is_json(start) {
        return json(start);
    }
    by_lines(text)
}

fn begins_as_html(start: &str) -> bool {
    let mut rest = start;
    // Error pages open with comments, and XHTML with an XML declaration.
    for _ in 0..8 {
        let end = match rest {
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<?xml") => "?>",
            _ => break,
        };
        let Some((_, after)) = rest.split_once(end) else {
            break;
        };
        rest = after.trim_start();
    }
    HTML.iter().any(|tag| {
        rest.get(..tag.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(tag))
    })
}

/// `[` also opens an IPv6 address with a port.
fn is_json(start: &str) -> bool {
    match start.strip_prefix('[') {
        Some(rest) => rest.trim_start().starts_with(['{', ']', '"', '[']),
        None => start.starts_with('{'),
    }
}

fn json(start: &str) -> Result<Known, NotAFeed> {
    let array = start.strip_prefix('[').map(str::trim);
    let first = start.split_once('}').map_or(start, |(first, _)| first);
    if array == Some("]") {
        return Ok((Format::FeodoJson, "it is an empty array"));
    }
    if array.is_some() && first.contains("\"ip_address\"") {
        return Ok((Format::FeodoJson, "its first object has an `ip_address`"));
    }
    let head = start
        .get(..start.floor_char_boundary(HEAD))
        .unwrap_or(start);
    // The order decides where a body could be two of them: the most telling mark comes first.
    let known: [(Format, JsonMark); 5] = [
        (Format::ThreatfoxJson, threatfox::json_shown_by),
        (Format::SpamhausJson, spamhaus::json_shown_by),
        (Format::Crowdsec, crowdsec::shown_by),
        (Format::Stix, stix::shown_by),
        (Format::Misp, misp::shown_by),
    ];
    for (format, mark) in known {
        if let Some(why) = mark(head) {
            return Ok((format, why));
        }
    }
    let looks_like = match head {
        _ if head.contains("\"list\"") => "a MISP warninglist",
        _ if head.contains("\"asn\"") => "a list of AS numbers",
        _ => "JSON of a layout that is not known here",
    };
    let fix = "give the source's plain or CSV list of addresses instead";
    Err(NotAFeed::Unrecognised {
        looks_like: looks_like.into(),
        fix: fix.into(),
    })
}

fn by_lines(text: &str) -> Result<Known, NotAFeed> {
    let (mut ipset, mut feodo, mut comments_only, mut plain) = (false, false, true, false);
    for (_, line) in lines(text).filter(|(_, line)| !line.is_empty()).take(PROBE) {
        if feodo_csv::is_header(line) {
            return Ok((Format::FeodoCsv, "a line names Feodo Tracker's columns"));
        }
        if let Some(why) = threatfox::line_shown_by(line) {
            return Ok((Format::ThreatfoxCsv, why));
        }
        if let Some(why) = spamhaus::line_shown_by(line) {
            return Ok((Format::SpamhausTxt, why));
        }
        if let Some(why) = suricata::shown_by(line) {
            return Ok((Format::Suricata, why));
        }
        if let Some(comment) = line.strip_prefix(['#', ';']) {
            ipset |= comment.contains("hash:ip") || comment.contains("hash:net");
            feodo |= comment.contains("Feodo Tracker Botnet C2 IP Blocklist");
            feodo |= plain::footer(comment).is_some();
            continue;
        }
        comments_only = false;
        ipset |= line.starts_with("add ") || line.starts_with("create ");
        plain |= entry::looks_like_one(line);
    }
    match () {
        () if ipset => Ok((
            Format::Ipset,
            "it has lines of `ipset save`, or says hash:ip or hash:net",
        )),
        () if feodo => Ok((Format::FeodoTxt, "it has Feodo Tracker's title or footer")),
        () if plain => Ok((Format::Plain, "its lines are addresses or names")),
        () if comments_only => Ok((Format::Plain, "it has nothing but comments")),
        () => Err(unrecognised(text)),
    }
}

const LIST: &str = "give a list with one address, prefix or address:port a line";

/// Names the usual mix-ups.
fn unrecognised(text: &str) -> NotAFeed {
    let first = lines(text)
        .map(|(_, line)| line)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    let first = first.unwrap_or_default();
    let (looks_like, fix) = match () {
        () if first.starts_with('<') => ("XML", LIST),
        () if first.matches(',').count() >= 2 => (
            "CSV with columns that are not known",
            "set `format = \"csv\"` and name its columns in [feed.csv]",
        ),
        () => ("text that names no address", LIST),
    };
    NotAFeed::Unrecognised {
        looks_like: looks_like.into(),
        fix: fix.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(text: &str) -> Result<Format, String> {
        let known = format(text, None).map_err(|error| error.to_string())?;
        assert!(!known.1.is_empty(), "{text}");
        Ok(known.0)
    }

    #[test]
    fn each_format_is_known_by_its_own_marks() {
        for (text, expected) in [
            ("# list\n192.0.2.1\n", Format::Plain),
            ("[2001:db8::1]:443\n", Format::Plain),
            ("evil.example\n", Format::Plain),
            (
                "#\n# feodo\n# ipv4 hash:ip ipset\n# Feodo tracker\n192.0.2.1\n",
                Format::Ipset,
            ),
            ("create c2 hash:ip\nadd c2 192.0.2.1\n", Format::Ipset),
            (
                "# x\n\"first_seen_utc\",\"dst_ip\",\"dst_port\"\n",
                Format::FeodoCsv,
            ),
            (
                "# Feodo Tracker Botnet C2 IP Blocklist\n192.0.2.1\n",
                Format::FeodoTxt,
            ),
            ("192.0.2.1\n# END 1 entries", Format::FeodoTxt),
            ("[{\"ip_address\":\"192.0.2.1\"}]", Format::FeodoJson),
            (" [ ]\n", Format::FeodoJson),
            ("<mcconf>\r\n<servs>", Format::Trickbot),
            ("<?xml version=\"1.0\"?><dpost><handler>", Format::Trickbot),
            ("{\"type\": \"bundle\", \"objects\": []}", Format::Stix),
            (
                "{\"more\":true,\"objects\":[{\"spec_version\":\"2.1\"}]}",
                Format::Stix,
            ),
            ("{\"response\":[{\"Event\":{}}]}", Format::Misp),
            ("[{\"Event\":{}}]", Format::Misp),
            (
                "{\"query_status\":\"ok\",\"data\":[]}",
                Format::ThreatfoxJson,
            ),
            (
                "{\"data\":[{\"ioc\":\"192.0.2.1:443\",\"ioc_type\":\"ip:port\"}]}",
                Format::ThreatfoxJson,
            ),
            ("{\"new\":null,\"deleted\":null}", Format::Crowdsec),
            (
                "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\"}",
                Format::SpamhausJson,
            ),
            ("; Spamhaus\n192.0.2.0/24 ; SBL1\n", Format::SpamhausTxt),
            (
                "alert ip any any -> [192.0.2.1] any (sid:1;)\n",
                Format::Suricata,
            ),
            (
                "# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\"\n",
                Format::ThreatfoxCsv,
            ),
        ] {
            assert_eq!(detected(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_feed_is_named() {
        for (text, name) in [
            ("  <!DOCTYPE html><title>Login</title>", "web page"),
            ("<?xml version=\"1.0\"?>\n<!-- x --><html>", "web page"),
            ("<?php\necho '192.0.2.1';", "web page"),
            ("\0\u{1}\u{2}\u{3}abc", "binary"),
            (
                "date,ip,port,event\n2017-10-09T00:00:00Z,192.0.2.1,447,x\n",
                "CSV",
            ),
            ("This list moved.\nSee our site.\n", "names no address"),
        ] {
            let message = detected(text).unwrap_err();
            assert!(message.contains(name), "{text}: {message}");
        }
    }
}
