//! The `[[feed]]` tables.

pub(super) mod headers;
mod http;
mod proxy;
mod signed;

use std::{sync::Arc, time::Duration};

use toml::de::{DeTable, DeValue};

use super::{
    DEFAULT_HOLD_DOWN, DEFAULT_INTERVAL, FeedConfig, FeedPolicy, api, canary, csv, presets,
    problem::Problems,
    read::{Unique, required, tables},
    section::Section,
    value,
};
use crate::{
    feed::{Format, csv_layout::CsvLayout, source::Location},
    policy::{Authority, AuthorityKind, MAX_ADDRESSES, Terms},
};

pub(super) const KEYS: &[&str] = &[
    "preset",
    "name",
    "url",
    "path",
    "api",
    "days",
    "format",
    "csv",
    "action",
    "hold_down",
    "canary",
    "canary_packets",
    "min_confidence",
    "min_feeds",
    "kind",
    "authority",
    "order",
    "until",
    "wide",
    "max_addresses",
    "interval",
    "min_interval",
    "timeout",
    "connect_timeout",
    "min_rate",
    "private",
    "redirect_hosts",
    "proxy",
    "proxy_auth_file",
    "headers",
    "headers_file",
    "minisign",
    "minisign_file",
    "signature",
    "pins",
];
/// They mean nothing for a file, and a setting that does nothing misleads.
const HTTP_ONLY: &[&str] = &[
    "api",
    "days",
    "interval",
    "min_interval",
    "timeout",
    "connect_timeout",
    "min_rate",
    "private",
    "redirect_hosts",
    "proxy",
    "proxy_auth_file",
    "headers",
    "headers_file",
    "pins",
];

const MIN_INTERVAL: Duration = Duration::from_millis(100);
const MAX_INTERVAL: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A list of what was once a C2 server is no list of C2 servers.
const MAX_HOLD_DOWN: Duration = Duration::from_secs(90 * 24 * 60 * 60);

pub(super) fn feeds(root: &DeTable<'_>, problems: &mut Problems<'_>) -> Vec<FeedConfig> {
    let tables = tables(root, "feed", problems);
    if tables.is_empty() && !root.contains_key("feed") {
        problems.general("no [[feed]]: name at least one, for instance\n[[feed]]\nname = \"own\"\npath = \"own.txt\"");
    }
    let mut names = Unique::default();
    let mut list = Vec::new();
    for (table, span) in tables {
        let Some(table) = presets::filled(table, problems) else {
            continue;
        };
        let mut section = Section::new("[[feed]]", &table, span, KEYS, problems);
        let feed = feed(&mut section, &mut names);
        list.extend(feed.filter(|feed| is_only_reader(feed, &list, &mut section)));
    }
    list
}

fn feed(section: &mut Section<'_, '_, '_>, names: &mut Unique) -> Option<FeedConfig> {
    // All keys are read before any is missed, so that every mistake is found.
    let name =
        required(section, "name", value::feed_name).and_then(|name| names.admit(name, section));
    let min_interval = duration(
        section,
        "min_interval",
        Duration::ZERO,
        MAX_INTERVAL,
        Duration::ZERO,
    );
    let interval = interval(section, min_interval);
    let location = location(section);
    let format = api::format(section, location.as_ref());
    let csv = csv(section, format);
    let policy = policy(section);
    let max_addresses = section.number("max_addresses", 1..=u32::MAX);
    let max_addresses = max_addresses.unwrap_or(MAX_ADDRESSES);
    Some(FeedConfig {
        name: name?,
        location: location?,
        format,
        csv,
        policy,
        max_addresses,
        interval,
        min_interval,
    })
}

fn interval(section: &mut Section<'_, '_, '_>, least: Duration) -> Duration {
    let interval = duration(
        section,
        "interval",
        MIN_INTERVAL,
        MAX_INTERVAL,
        DEFAULT_INTERVAL.max(least),
    );
    if let (true, Some(span)) = (interval < least, section.key_span("interval")) {
        let text = format!(
            "`interval` in [[feed]] is shorter than its `min_interval` ({} s): who asks more often may be shut out",
            least.as_secs()
        );
        section.problems().at(&span, text);
    }
    interval
}

/// A layout of columns means something for tables only.
fn csv(section: &mut Section<'_, '_, '_>, format: Option<Format>) -> Option<Arc<CsvLayout>> {
    let value = section.raw("csv")?;
    let DeValue::Table(table) = value.get_ref() else {
        section.wrong_type("csv", value, "a table: write [feed.csv]");
        return None;
    };
    if format != Some(Format::Csv) {
        let text = "`csv` in [[feed]] is for tables: add `format = \"csv\"`, or remove it";
        section.problems().at(&value.span(), text);
    }
    let problems = section.problems();
    let mut inner = Section::new("[feed.csv]", table, value.span(), csv::KEYS, problems);
    Some(Arc::new(csv::layout(&mut inner)))
}

fn policy(section: &mut Section<'_, '_, '_>) -> FeedPolicy {
    let least = Duration::ZERO;
    let hold_down = duration(
        section,
        "hold_down",
        least,
        MAX_HOLD_DOWN,
        DEFAULT_HOLD_DOWN,
    );
    let action = section
        .parsed("action", value::action)
        .map_or_else(Default::default, |(action, _)| action);
    let terms = Terms {
        action,
        min_confidence: section.number("min_confidence", 0..=100_u8).unwrap_or(0),
        min_feeds: section
            .number("min_feeds", 1..=u32::MAX)
            .unwrap_or_default(),
        authority: authority(section),
        kind: section
            .parsed("kind", value::kind)
            .map_or_else(Default::default, |(kind, _)| kind),
        wide: section.boolean("wide").unwrap_or(false),
    };
    FeedPolicy {
        terms: Arc::new(terms),
        hold_down,
        canary: canary::canary(section),
    }
}

/// A court order has a number; others have none that would mean something.
fn authority(section: &mut Section<'_, '_, '_>) -> Authority {
    let kind = section
        .parsed("authority", value::authority)
        .map_or_else(Default::default, |(kind, _)| kind);
    let order = section
        .parsed("order", value::order)
        .map(|(order, _)| order);
    let until = section
        .parsed("until", value::moment)
        .map(|(until, _)| until);
    let is_court = kind == AuthorityKind::Court;
    if is_court != order.is_some() {
        let span = section.key_span("order").unwrap_or_else(|| section.span());
        let text = match is_court {
            true => {
                "[[feed]] has `authority = \"court\"` and no `order`: give the number of the order"
            }
            false => {
                "`order` in [[feed]] is for court orders: add `authority = \"court\"`, or remove it"
            }
        };
        section.problems().at(&span, text);
    }
    Authority { kind, order, until }
}

fn location(section: &mut Section<'_, '_, '_>) -> Option<Location> {
    match (section.raw("url"), section.raw("path")) {
        (Some(_), None) => http::spec(section).map(Location::Http),
        (None, Some(_)) => path(section),
        (Some(_), Some(second)) => {
            section.problems().at(
                &second.span(),
                "[[feed]] has both `url` and `path`: keep one, a feed comes from one place",
            );
            None
        }
        (None, None) => {
            let span = section.span();
            section.problems().at(
                &span,
                "[[feed]] has neither `url` nor `path`: say where it comes from",
            );
            None
        }
    }
}

/// What one feed has read from standard input is gone for another.
fn is_only_reader(
    feed: &FeedConfig,
    known: &[FeedConfig],
    section: &mut Section<'_, '_, '_>,
) -> bool {
    let mut readers = known.iter().filter(|one| one.location == Location::Stdin);
    let (Location::Stdin, Some(other)) = (&feed.location, readers.next()) else {
        return true;
    };
    let span = section.key_span("path").unwrap_or_default();
    let text = format!(
        "[[feed]] `{}` reads standard input already: give this one a file",
        other.name
    );
    section.problems().at(&span, text);
    false
}

fn path(section: &mut Section<'_, '_, '_>) -> Option<Location> {
    for key in HTTP_ONLY {
        if let Some(span) = section.key_span(key) {
            section.problems().at(&span, format!("`{key}` in [[feed]] is for `url` feeds only: remove it, files are watched for changes"));
        }
    }
    let directory = section.problems().directory().to_owned();
    let (place, _) = section.parsed("path", |text| value::place(text, &directory))?;
    Some(signed::of_place(section, place))
}

pub(super) fn duration(
    section: &mut Section<'_, '_, '_>,
    key: &str,
    min: Duration,
    max: Duration,
    default: Duration,
) -> Duration {
    section
        .parsed(key, |text| value::duration(text, min, max))
        .map_or(default, |(span, _)| span)
}
