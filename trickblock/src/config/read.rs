//! From the file's text to a [`Config`].

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::{IpNet, Ipv6Net};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Config, ConfigError, Docker, Filter, Guard, Interface, MAX_NAT64, Metrics, Paths, Policy,
    Table, feed,
    problem::Problems,
    section::{Located, Section, check_keys},
    value,
};
use crate::policy::Kinds;

/// Nobody's router stays a C2 for longer.
const LONGEST_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

pub(super) const ROOT: &[&str] = &[
    "paths",
    "network",
    "guard",
    "policy",
    "filter",
    "table",
    "docker",
    "metrics",
    "interface",
    "feed",
];
pub(super) const PATHS: &[&str] = &["state", "socket", "pins"];
pub(super) const NETWORK: &[&str] = &["own", "nat64"];
pub(super) const GUARD: &[&str] = &["allow", "allow_files", "except"];
pub(super) const POLICY: &[&str] = &[
    "residential_files",
    "shared_files",
    "sinkhole_files",
    "residential_life",
];
pub(super) const FILTER: &[&str] = &["action", "mode", "xdp", "events_per_second", "tunnels"];
pub(super) const TABLE: &[&str] = &["capacity"];
pub(super) const DOCKER: &[&str] = &["socket"];
pub(super) const METRICS: &[&str] = &["listen"];
pub(super) const INTERFACE: &[&str] = &["name", "role", "hook", "fail_closed"];

/// Above this the mapped tables would take gigabytes.
const MAX_CAPACITY: u32 = 4_000_000;

pub(super) fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    let mut problems = Problems::new(path, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        problems.at(
            &error.span().unwrap_or_default(),
            format!("not TOML: {}", error.message()),
        );
    }
    // After a syntax error the rest is guesswork, and guessed mistakes would only confuse.
    if !problems.is_empty() {
        return Err(problems.into_error());
    }
    let root = document.get_ref();
    check_keys("the file", root, ROOT, &mut problems);
    let config = config(root, &mut problems);
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(problems.into_error())
    }
}

fn config(root: &DeTable<'_>, problems: &mut Problems<'_>) -> Config {
    let (own, nat64) = network(&mut table(root, "network", "[network]", NETWORK, problems));
    Config {
        paths: paths(&mut table(root, "paths", "[paths]", PATHS, problems)),
        own,
        nat64,
        guard: guard(&mut table(root, "guard", "[guard]", GUARD, problems)),
        policy: policy(&mut table(root, "policy", "[policy]", POLICY, problems)),
        filter: filter(&mut table(root, "filter", "[filter]", FILTER, problems)),
        table: capacity(&mut table(root, "table", "[table]", TABLE, problems)),
        docker: docker(&mut table(root, "docker", "[docker]", DOCKER, problems)),
        metrics: metrics(&mut table(root, "metrics", "[metrics]", METRICS, problems)),
        interfaces: interfaces(root, problems),
        feeds: feed::feeds(root, problems),
    }
}

fn paths(section: &mut Section<'_, '_, '_>) -> Paths {
    let directory = section.problems().directory().to_owned();
    let mut path = |key, default: PathBuf| {
        section
            .parsed(key, |text| value::path(text, &directory))
            .map_or(default, |(path, _)| path)
    };
    let Paths {
        state,
        socket,
        pins,
    } = Paths::default();
    Paths {
        state: path("state", state),
        socket: path("socket", socket),
        pins: path("pins", pins),
    }
}

fn network(section: &mut Section<'_, '_, '_>) -> (Vec<IpNet>, Vec<Ipv6Net>) {
    let nat64 = section.list("nat64", value::nat64);
    if nat64.len() > MAX_NAT64 {
        let span = section.key_span("nat64").unwrap_or_default();
        let text = format!("`nat64` in [network] has more prefixes than {MAX_NAT64}, the most");
        section.problems().at(&span, text);
    }
    (section.list("own", value::prefix), nat64)
}

fn metrics(section: &mut Section<'_, '_, '_>) -> Metrics {
    let listen = section.parsed("listen", value::listen);
    Metrics {
        listen: listen.map(|(address, _)| address),
    }
}

fn guard(section: &mut Section<'_, '_, '_>) -> Guard {
    Guard {
        allow: section.list("allow", value::prefix),
        allow_files: existing_files(section, "allow_files"),
        except: section.list("except", value::prefix),
    }
}

fn policy(section: &mut Section<'_, '_, '_>) -> Policy {
    let life = |text: &str| value::duration(text, Duration::from_secs(60), LONGEST_LIFE);
    let residential_life = section
        .parsed("residential_life", life)
        .map_or(Kinds::LIFE, |(life, _)| life);
    Policy {
        residential_files: existing_files(section, "residential_files"),
        shared_files: existing_files(section, "shared_files"),
        sinkhole_files: existing_files(section, "sinkhole_files"),
        residential_life,
    }
}

/// A guard that is silently not there is worse than a daemon that does not start.
fn existing_files(section: &mut Section<'_, '_, '_>, key: &str) -> Vec<PathBuf> {
    let directory = section.problems().directory().to_owned();
    let existing = |text: &str| {
        let path = value::path(text, &directory)?;
        match path.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(path),
            Ok(_) => Err(format!(
                "{} is not a file: name the list itself",
                path.display()
            )),
            Err(error) => Err(format!(
                "{} cannot be used ({error}): create it, or remove it here",
                path.display()
            )),
        }
    };
    section.list(key, existing)
}

fn filter(section: &mut Section<'_, '_, '_>) -> Filter {
    let default = Filter::default();
    Filter {
        action: section
            .parsed("action", value::action)
            .map_or(default.action, |(action, _)| action),
        mode: section
            .parsed("mode", value::mode)
            .map_or(default.mode, |(mode, _)| mode),
        xdp: section
            .parsed("xdp", value::xdp_mode)
            .map_or(default.xdp, |(xdp, _)| xdp),
        events_per_second: section
            .number("events_per_second", 0..=u32::MAX)
            .unwrap_or(default.events_per_second),
        tunnels: section.list("tunnels", value::tunnel),
    }
}

fn capacity(section: &mut Section<'_, '_, '_>) -> Table {
    let capacity = section.number("capacity", 1..=MAX_CAPACITY);
    Table {
        capacity: capacity.and_then(NonZeroU32::new),
    }
}

/// An empty path asks no engine.
fn docker(section: &mut Section<'_, '_, '_>) -> Docker {
    let directory = section.problems().directory().to_owned();
    let socket = |text: &str| match text {
        "" => Ok(None),
        text => value::path(text, &directory).map(Some),
    };
    section
        .parsed("socket", socket)
        .map_or_else(Docker::default, |(socket, _)| Docker { socket })
}

fn interfaces(root: &DeTable<'_>, problems: &mut Problems<'_>) -> Vec<Interface> {
    let tables = tables(root, "interface", problems);
    if tables.is_empty() && !root.contains_key("interface") {
        problems.general(
            "no [[interface]]: name at least one, for instance\n[[interface]]\nname = \"eth0\"",
        );
    }
    let mut names = Unique::default();
    let mut list = Vec::new();
    for (table, span) in tables {
        let mut section = Section::new("[[interface]]", table, span, INTERFACE, problems);
        let name = required(&mut section, "name", value::interface_name);
        if let Some(name) = name.and_then(|name| names.admit(name, &mut section)) {
            list.push(interface(name, &mut section));
        }
    }
    list
}

fn interface(name: String, section: &mut Section<'_, '_, '_>) -> Interface {
    let default = Interface::new(name);
    Interface {
        role: section
            .parsed("role", value::role)
            .map_or(default.role, |(role, _)| role),
        hook: section
            .parsed("hook", value::hook)
            .map_or(default.hook, |(hook, _)| hook),
        fail_closed: section
            .boolean("fail_closed")
            .unwrap_or(default.fail_closed),
        ..default
    }
}

/// A key without which the section means nothing.
pub(super) fn required<T>(
    section: &mut Section<'_, '_, '_>,
    key: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<Located<T>> {
    if section.raw(key).is_none() {
        let (span, title) = (section.span(), section.title());
        section
            .problems()
            .at(&span, format!("{title} has no `{key}`: give it one"));
    }
    section.parsed(key, parse)
}

/// Names seen so far, with their places.
#[derive(Default)]
pub(super) struct Unique(Vec<Located<String>>);

impl Unique {
    /// Notes a second use of a name as a mistake that points at the first.
    pub(super) fn admit(
        &mut self,
        (name, span): Located<String>,
        section: &mut Section<'_, '_, '_>,
    ) -> Option<String> {
        let title = section.title();
        if let Some((_, first)) = self.0.iter().find(|(known, _)| *known == name) {
            let line = section.problems().line(first);
            section.problems().at(
                &span,
                format!("{title} `{name}` is there already, in line {line}: rename or remove one"),
            );
            return None;
        }
        self.0.push((name.clone(), span));
        Some(name)
    }
}

fn table<'t, 'p, 'a>(
    root: &'t DeTable<'t>,
    key: &str,
    title: &'static str,
    known: &[&str],
    problems: &'p mut Problems<'a>,
) -> Section<'t, 'p, 'a> {
    let Some(value) = root.get(key) else {
        return Section::absent(title, problems);
    };
    match value.get_ref() {
        DeValue::Table(table) => Section::new(title, table, value.span(), known, problems),
        _ => {
            problems.at(
                &value.span(),
                format!("`{key}` must be a table: write {title}"),
            );
            Section::absent(title, problems)
        }
    }
}

/// The tables of `[[key]]`, each with its place.
pub(super) fn tables<'t>(
    root: &'t DeTable<'t>,
    key: &str,
    problems: &mut Problems<'_>,
) -> Vec<Located<&'t DeTable<'t>>> {
    let Some(value) = root.get(key) else {
        return Vec::new();
    };
    let items: Vec<&Spanned<DeValue<'_>>> = value
        .get_ref()
        .as_array()
        .map(|items| items.iter().collect())
        .unwrap_or_default();
    let found: Vec<_> = items
        .iter()
        .filter_map(|item| Some((item.get_ref().as_table()?, item.span())))
        .collect();
    if found.is_empty() || found.len() != items.len() {
        problems.at(
            &value.span(),
            format!("`{key}` must be a list of tables: write [[{key}]] with two brackets"),
        );
    }
    found
}
