//! Why a body is not a feed.

use std::borrow::Cow;

use super::{Format, Parsed};

/// The body must not replace the last good one. Every message says what was found instead of a
/// feed and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum NotAFeed {
    #[error("the body is empty: check the address of the feed; the last good copy stays in force")]
    Empty,
    #[error(
        "the body is a web page, not a list: a captive portal, a login or an error page answered; \
         open the address in a browser and use the link of the raw list"
    )]
    Html,
    #[error("the body is compressed ({kind}): unpack it first; gzip alone is decoded here, once")]
    Compressed { kind: Cow<'static, str> },
    #[error("the body is {kind}, not text: {fix}")]
    Binary {
        kind: Cow<'static, str>,
        fix: Cow<'static, str>,
    },
    #[error("the body is {looks_like}, which is none of the formats that can be read: {fix}")]
    Unrecognised {
        looks_like: Cow<'static, str>,
        fix: Cow<'static, str>,
    },
    #[error(
        "there are no entries in the {format} body, and no footer confirms that none were meant; \
         expected {expected}. It may be truncated or abandoned: check the feed at its source"
    )]
    NoEntries {
        format: Format,
        expected: Cow<'static, str>,
    },
    #[error(
        "the body is not {format}: {reason}; leave the format out to have it detected, or give the right one"
    )]
    Mismatch { format: Format, reason: String },
    #[error("the source answered `{status}` instead of a list: {fix}")]
    Status {
        status: String,
        fix: Cow<'static, str>,
    },
    #[error(
        "there are more than {most} entries: no list of C2 servers is that long, so split it into \
         several feeds if it is right"
    )]
    TooMany { most: usize },
    #[error("{}", majority(.0))]
    MostlyMalformed(Box<Parsed>),
}

fn majority(parsed: &Parsed) -> String {
    let first = parsed.rejections.first().map_or(String::new(), |first| {
        format!(
            ", the first in line {}: `{}` ({})",
            first.line, first.text, first.reason
        )
    });
    format!(
        "{} of {} rows are malformed as {}{first}; more than half means that this is another \
         format or a broken feed: force the format if it was guessed wrong, or check the feed",
        parsed.rejected,
        parsed.total(),
        parsed.format
    )
}
