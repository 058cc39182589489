//! A configuration from the command line's flags alone.

use std::{path::Path, time::Duration};

use super::{
    Config, ConfigError, DEFAULT_INTERVAL, Docker, FeedConfig, FeedPolicy, Filter, Guard,
    Interface, Metrics, Paths, Policy, Problem, Table, value,
};
use crate::{
    feed::source::{HttpSpec, Location, SignedPath},
    policy::MAX_ADDRESSES,
};

pub(super) fn from_flags(interfaces: &[String], feeds: &[String]) -> Result<Config, ConfigError> {
    let mut problems = Vec::new();
    let config = Config {
        paths: Paths::default(),
        own: Vec::new(),
        nat64: Vec::new(),
        guard: Guard::default(),
        policy: Policy::default(),
        filter: Filter::default(),
        table: Table::default(),
        docker: Docker::default(),
        metrics: Metrics::default(),
        interfaces: read_interfaces(interfaces, &mut problems),
        feeds: read_feeds(feeds, &mut problems),
    };
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(ConfigError::Invalid(problems))
    }
}

fn read_interfaces(names: &[String], problems: &mut Vec<Problem>) -> Vec<Interface> {
    if names.is_empty() {
        problems.push(problem(
            "-i",
            "no interface given: add `-i IFACE`".to_owned(),
        ));
    }
    let mut list: Vec<Interface> = Vec::new();
    for name in names {
        match value::interface_name(name) {
            Ok(name) if list.iter().any(|known| known.name == name) => {}
            Ok(name) => list.push(Interface::new(name)),
            Err(text) => problems.push(problem("-i", text)),
        }
    }
    list
}

fn read_feeds(texts: &[String], problems: &mut Vec<Problem>) -> Vec<FeedConfig> {
    if texts.is_empty() {
        problems.push(problem(
            "--feed",
            "no feed given: add `--feed URL` or `--feed FILE`".to_owned(),
        ));
    }
    let mut list: Vec<FeedConfig> = Vec::new();
    for text in texts {
        match location(text) {
            Ok(location) if list.iter().any(|known| known.location == location) => {}
            Ok(location) => {
                let name = unique(&base_name(&location), &list);
                list.push(FeedConfig {
                    name,
                    location,
                    format: None,
                    csv: None,
                    policy: FeedPolicy::default(),
                    max_addresses: MAX_ADDRESSES,
                    interval: DEFAULT_INTERVAL,
                    min_interval: Duration::ZERO,
                });
            }
            Err(reason) => problems.push(problem("--feed", reason)),
        }
    }
    list
}

fn location(text: &str) -> Result<Location, String> {
    if !text.contains("://") {
        return value::place(text, Path::new(""));
    }
    value::url(text).map(|url| Location::Http(HttpSpec::new(url)))
}

/// The host of a URL, the file name of a path, reduced to what a feed name may have.
fn base_name(location: &Location) -> String {
    let raw = match location {
        Location::Http(spec) => spec.url.host().unwrap_or_default().to_owned(),
        Location::Stdin => "stdin".to_owned(),
        Location::Path(path) | Location::Signed(SignedPath { path, .. }) => path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    };
    let harmless = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
            c
        } else {
            '-'
        }
    };
    let name: String = raw.chars().map(harmless).take(56).collect();
    let name = name.trim_matches(['.', '-']);
    if name.is_empty() {
        "feed".to_owned()
    } else {
        name.to_owned()
    }
}

fn unique(base: &str, list: &[FeedConfig]) -> String {
    let taken = |name: &str| list.iter().any(|feed| feed.name == name);
    if !taken(base) {
        return base.to_owned();
    }
    // One more candidate than there are feeds, so one of them is free.
    let numbered = (2..=list.len().saturating_add(2)).map(|number| format!("{base}-{number}"));
    numbered
        .into_iter()
        .find(|name| !taken(name))
        .unwrap_or_else(|| base.to_owned())
}

fn problem(flag: &str, text: String) -> Problem {
    Problem {
        place: None,
        source: flag.to_owned(),
        text,
    }
}
