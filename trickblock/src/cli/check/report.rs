//! The report as JSON and as text.

use std::{
    fmt::Display,
    io::{self, Write},
};

use serde::{Serialize, Serializer};

use super::{Exit, set::Set};
use crate::{
    feed::Parsed,
    indicator::{Indicator, Seen},
    policy::{Rule, RuleSet, is_wide},
};

/// Rejections shown in the text; JSON has all of them.
const SHOWN: usize = 20;

/// Field order is the order of the JSON. `rows` is the sum of the five counts after it.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    schema: u32,
    /// `mixed` when the files of a set differ, null when there is none.
    format: Option<&'static str>,
    /// What shows the format; null when there is none or the files differ.
    known_by: Option<&'a str>,
    rows: u64,
    accepted: u64,
    duplicates: u64,
    ignored: u64,
    rejected: u64,
    refused: u64,
    complete: Option<bool>,
    #[serde(serialize_with = "indicators")]
    indicators: &'a [Rule],
    rejections: Vec<Line<'a>>,
    warnings: Vec<String>,
    #[serde(skip)]
    set: &'a Set,
}

#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    line: u32,
    text: String,
    reason: &'a str,
    /// Null for a malformed row.
    guard: Option<&'static str>,
}

#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    indicator: &'a Indicator,
    family: Option<&'a str>,
    first_seen: Option<Seen>,
    last_seen: Option<Seen>,
}

impl<'a> Report<'a> {
    pub(super) fn new(set: &'a Set, rules: &'a RuleSet) -> Self {
        let sum = |count: fn(&Parsed) -> u64| {
            set.feeds
                .iter()
                .map(|(_, parsed)| count(parsed))
                .sum::<u64>()
        };
        Self {
            schema: 1,
            format: format(set),
            known_by: known_by(set),
            rows: sum(Parsed::total),
            accepted: u64::try_from(rules.rules.len()).unwrap_or(u64::MAX),
            duplicates: rules.duplicates,
            ignored: sum(|parsed| parsed.ignored),
            rejected: sum(|parsed| parsed.rejected),
            refused: rules.refused,
            complete: complete(set),
            indicators: &rules.rules,
            rejections: rejections(set, rules),
            warnings: warnings(set, rules),
            set,
        }
    }

    pub(super) fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    pub(super) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(configuration) = self.set.configuration() {
            writeln!(out, "{:<11} {configuration}", "settings")?;
        }
        if !self.set.feeds.is_empty() {
            self.write_counts(out)?;
            self.write_rejections(out)?;
        }
        // What makes the check fail is said on stderr.
        for warning in &self.warnings {
            if !self.set.failed.contains(warning) {
                writeln!(out, "warning: {warning}")?;
            }
        }
        Ok(())
    }

    /// The exit code, and what to complain about.
    pub(super) fn verdict(&self) -> (Exit, Vec<String>) {
        if !self.set.failed.is_empty() {
            return (Exit::Failed, self.set.failed.clone());
        }
        if self.set.is_unfetched() {
            return (Exit::Ok, Vec::new());
        }
        if self.set.feeds.is_empty() {
            let reason = "none of the files is a feed: see the warnings for each of them";
            return (Exit::Failed, vec![reason.to_owned()]);
        }
        if self.rejected > self.rows / 2 {
            let reason = format!(
                "{} of {} rows are malformed, which is more than half: see the warnings",
                self.rejected, self.rows
            );
            return (Exit::Failed, vec![reason]);
        }
        if self.accepted == 0 && self.refused > 0 {
            let reason = format!("all {} addresses were refused by a guard", self.refused);
            return (Exit::Refused, vec![reason]);
        }
        (Exit::Ok, Vec::new())
    }

    fn write_counts(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut row = |name: &str, value: &dyn Display| writeln!(out, "{name:<11} {value}");
        row("format", &self.shown_format())?;
        row("files", &self.set.feeds.len())?;
        row("rows", &self.rows)?;
        row("accepted", &self.accepted)?;
        row("duplicates", &self.duplicates)?;
        row("ignored", &self.ignored)?;
        row("rejected", &self.rejected)?;
        row("refused", &self.refused)?;
        row("complete", &self.completeness())
    }

    fn shown_format(&self) -> String {
        let format = self.format.unwrap_or("none");
        self.known_by
            .map_or_else(|| format.to_owned(), |why| format!("{format}: {why}"))
    }

    fn completeness(&self) -> &'static str {
        match self.complete {
            Some(true) => "yes: the feed's own count agrees",
            Some(false) => "NO: the feed's own count differs",
            None => "unknown: the feed states no count",
        }
    }

    fn write_rejections(&self, out: &mut dyn Write) -> io::Result<()> {
        let shown = self.rejections.get(..SHOWN).unwrap_or(&self.rejections);
        let place = |line: &Line<'_>| format!("{}:{}", line.file, line.line);
        let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
        let places = widest(&mut shown.iter().map(|line| place(line).chars().count()));
        let texts = widest(&mut shown.iter().map(|line| cell(&line.text).chars().count()));
        if !shown.is_empty() {
            writeln!(out, "\nrejected and refused rows:")?;
        }
        for line in shown {
            let guard = line
                .guard
                .map_or(String::new(), |guard| format!("{guard}: "));
            let (at, text) = (place(line), cell(&line.text));
            writeln!(
                out,
                "  {at:<places$}  {text:<texts$}  {guard}{}",
                line.reason
            )?;
        }
        match self.rejections.len().checked_sub(SHOWN) {
            Some(more) if more > 0 => writeln!(out, "  and {more} more (--json lists them)"),
            _ => Ok(()),
        }
    }
}

/// A feed's text on a terminal: short, and without characters that could move its cursor.
fn cell(text: &str) -> String {
    let visible = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().take(40).map(visible).collect()
}

fn format(set: &Set) -> Option<&'static str> {
    let mut formats = set.feeds.iter().map(|(_, parsed)| parsed.format);
    let first = formats.next()?;
    let same = formats.all(|format| format == first);
    Some(if same { first.name() } else { "mixed" })
}

fn known_by(set: &Set) -> Option<&str> {
    let mut reasons = set.feeds.iter().map(|(_, parsed)| parsed.known_by.as_ref());
    let first = reasons.next()?;
    reasons.all(|reason| reason == first).then_some(first)
}

/// One incomplete feed makes the set incomplete; one that states no count says nothing.
fn complete(set: &Set) -> Option<bool> {
    let stated = set.feeds.iter().filter_map(|(_, parsed)| parsed.complete);
    stated.min()
}

fn rejections<'a>(set: &'a Set, rules: &'a RuleSet) -> Vec<Line<'a>> {
    let mut refusals = rules.refusals.iter().peekable();
    let mut lines = Vec::new();
    for ((file, parsed), index) in set.feeds.iter().zip(0_u32..) {
        let from = lines.len();
        lines.extend(parsed.rejections.iter().map(|rejection| Line {
            file,
            line: rejection.line,
            text: rejection.text.clone(),
            reason: &rejection.reason,
            guard: None,
        }));
        while let Some(refused) = refusals.next_if(|refused| refused.source.feed == index) {
            lines.push(Line {
                file,
                line: refused.source.line,
                text: refused.indicator.to_string(),
                reason: &refused.refusal.reason,
                guard: Some(refused.refusal.guard),
            });
        }
        if let Some(of_this_file) = lines.get_mut(from..) {
            of_this_file.sort_by_key(|line| line.line);
        }
    }
    lines
}

fn warnings(set: &Set, rules: &RuleSet) -> Vec<String> {
    let of_feeds = set.feeds.iter().flat_map(|(file, parsed)| {
        let warnings = parsed.warnings.iter();
        warnings.map(move |warning| format!("{file}: {warning}"))
    });
    let listed = rules.refusals.len();
    let unlisted = u64::try_from(listed).is_ok_and(|listed| listed < rules.refused);
    let capped = unlisted.then(|| format!("only the first {listed} refused rows are listed"));
    of_feeds
        .chain(set.skipped.iter().cloned())
        .chain(capped)
        .chain(wide(set, rules))
        .chain(softened(rules))
        .collect()
}

/// Of files that no configuration says the width of.
fn wide(set: &Set, rules: &RuleSet) -> Option<String> {
    if set.is_configured() {
        return None;
    }
    let wide = rules
        .rules
        .iter()
        .filter(|rule| is_wide(&rule.indicator.prefix));
    match wide.count() {
        0 => None,
        count => Some(format!(
            "{count} indicators are wider than /24 (IPv6: /48): as a feed of a configuration it needs `wide = true`, else they are refused"
        )),
    }
}

/// What is accepted, and will not drop.
fn softened(rules: &RuleSet) -> impl Iterator<Item = String> {
    let shown = rules.notices.iter().take(SHOWN).map(|notice| {
        let file = usize::try_from(notice.source.feed)
            .ok()
            .and_then(|at| rules.feeds.get(at));
        let file = file.map_or("", |label| label.name.as_ref());
        format!("{file}:{}: {}", notice.source.line, notice.refusal.reason)
    });
    let more = rules
        .softened
        .saturating_sub(u64::try_from(SHOWN).unwrap_or(u64::MAX));
    let more = (more > 0)
        .then(|| format!("{more} more rows are inside of your own networks and only count"));
    shown.chain(more)
}

/// Written one by one: a second list of a million would double the memory.
fn indicators<S: Serializer>(rules: &[Rule], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rules.iter().map(|rule| Listed {
        indicator: &rule.indicator,
        family: rule.sighting.family.as_deref(),
        first_seen: rule.sighting.first_seen,
        last_seen: rule.sighting.last_seen,
    }))
}
