//! STIX 2.0 and 2.1 bundles, and TAXII envelopes.

mod meaning;
mod pattern;
mod tokens;

use std::{borrow::Cow, collections::HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;

use self::meaning::Meaning;
use super::json::{Position, mismatch};
use crate::{
    feed::{
        Format, NotAFeed, Options,
        collect::{Collector, Note},
    },
    indicator::{Indicator, Seen, Sighting},
};

/// What in the beginning of a body shows that it is one of these; `None` if nothing does.
pub(in crate::feed) fn shown_by(head: &str) -> Option<&'static str> {
    if head.contains("\"bundle--") || head.contains("\"bundle\"") {
        return Some("it is a bundle");
    }
    let envelope = head.contains("\"objects\"") && head.contains("\"spec_version\"");
    envelope.then_some("its objects have a `spec_version`")
}

#[derive(Deserialize)]
struct Bundle<'a> {
    #[serde(borrow)]
    objects: Option<Vec<&'a RawValue>>,
}

/// What matters of any object.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    modified: Cow<'a, str>,
    #[serde(borrow)]
    pattern: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pattern_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    valid_from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    valid_until: Option<Cow<'a, str>>,
    #[serde(default)]
    revoked: bool,
    /// Version 2.1; 2.0 has `labels` for it.
    #[serde(default, alias = "labels")]
    indicator_types: Vec<String>,
    confidence: Option<u8>,
    #[serde(borrow, default)]
    relationship_type: Cow<'a, str>,
    #[serde(borrow, default)]
    source_ref: Cow<'a, str>,
    #[serde(borrow, default)]
    target_ref: Cow<'a, str>,
}

/// An indicator, and where it stands.
struct Found<'a> {
    line: u32,
    shown: &'a str,
    object: Object<'a>,
}

/// Reads the whole body; a truncated one is refused as a whole.
pub(super) fn read(text: &str, options: &Options, out: &mut Collector) -> Result<(), NotAFeed> {
    out.expect("indicators with patterns");
    let bundle: Bundle<'_> =
        serde_json::from_str(text).map_err(|error| mismatch(Format::Stix, "a bundle", &error))?;
    let Some(objects) = bundle.objects else {
        return Err(NotAFeed::Mismatch {
            format: Format::Stix,
            reason: "it has no `objects`".to_owned(),
        });
    };
    let mut reader = Reader {
        now: options.received,
        out,
    };
    let (indicators, families) = reader.sort(text, &objects);
    for found in newest(indicators, reader.out) {
        let family = families
            .get(found.object.id.as_ref())
            .cloned()
            .unwrap_or_default();
        reader.indicator(&found, &family);
    }
    out.confirm_whole();
    Ok(())
}

/// Of each id the version that was modified last; the others are ignored.
fn newest<'a>(indicators: Vec<Found<'a>>, out: &mut Collector) -> Vec<Found<'a>> {
    let mut last: HashMap<String, usize> = HashMap::new();
    for (index, found) in indicators.iter().enumerate() {
        let known = last.entry(found.object.id.to_string()).or_insert(index);
        let modified = |index: usize| {
            indicators
                .get(index)
                .map(|found| time(&found.object.modified))
        };
        if modified(*known) <= modified(index) {
            *known = index;
        }
    }
    let mut kept = Vec::new();
    for (index, found) in indicators.into_iter().enumerate() {
        let without_id = found.object.id.is_empty();
        match without_id || last.get(found.object.id.as_ref()) == Some(&index) {
            true => kept.push(found),
            false => out.ignore(),
        }
    }
    kept
}

fn time(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok()
}

struct Reader<'o> {
    /// `None`: what is over counts as well.
    now: Option<Seen>,
    out: &'o mut Collector,
}

impl Reader<'_> {
    /// The indicators, and the names of what they indicate.
    fn sort<'a>(
        &mut self,
        text: &'a str,
        objects: &[&'a RawValue],
    ) -> (Vec<Found<'a>>, HashMap<String, String>) {
        let mut position = Position::new(text);
        let (mut indicators, mut names, mut relations) = (Vec::new(), HashMap::new(), Vec::new());
        for text in objects {
            let shown = text.get();
            let line = position.line_of(shown);
            let Ok(object) = serde_json::from_str::<Object<'_>>(shown) else {
                self.out.reject(line, shown, "not an object of STIX");
                continue;
            };
            match object.kind.as_ref() {
                "indicator" => indicators.push(Found {
                    line,
                    shown,
                    object,
                }),
                "malware" => {
                    names.insert(object.id.to_string(), object.name.to_string());
                }
                "relationship" if object.relationship_type == "indicates" => {
                    relations.push((object.source_ref, object.target_ref));
                }
                _ => {}
            }
        }
        let named = relations.iter().filter_map(|(indicator, malware)| {
            Some((indicator.to_string(), names.get(malware.as_ref())?.clone()))
        });
        (indicators, named.collect())
    }

    fn indicator(&mut self, found: &Found<'_>, family: &str) {
        let object = &found.object;
        if object.pattern_type.as_deref().unwrap_or("stix") != "stix" {
            self.out.note(found.line, Note::Narrower);
            return self.out.ignore();
        }
        let Some(pattern) = object.pattern.as_deref() else {
            let reason = "the indicator has no `pattern`";
            return self.out.reject(found.line, found.shown, reason);
        };
        match pattern::read(pattern).and_then(Meaning::indicators) {
            Err(reason) => self.out.reject(found.line, pattern, reason),
            Ok(meaning) if meaning.indicators.is_empty() => {
                if meaning.source {
                    self.out.note(found.line, Note::Source);
                }
                self.out.ignore();
            }
            Ok(meaning) => self.take(found, &meaning.indicators, family),
        }
    }

    fn take(&mut self, found: &Found<'_>, indicators: &[Indicator], family: &str) {
        let object = &found.object;
        if object.revoked {
            self.out.note(found.line, Note::NotForDetection);
            indicators
                .iter()
                .for_each(|indicator| self.out.withdraw(*indicator));
            return self.out.ignore();
        }
        if object.indicator_types.iter().any(|kind| kind == "benign") {
            self.out.note(found.line, Note::NotForDetection);
            return self.out.ignore();
        }
        let from = self.seen(found.line, object.valid_from.as_deref());
        let until = self.seen(found.line, object.valid_until.as_deref());
        let is_over = |now: Seen| {
            until.is_some_and(|until| until <= now) || from.is_some_and(|from| from > now)
        };
        if self.now.is_some_and(is_over) {
            self.out.note(found.line, Note::NotNow);
            return self.out.ignore();
        }
        for indicator in indicators {
            let sighting = Sighting {
                family: self.out.family(family),
                first_seen: from,
                expires: until,
                confidence: object.confidence.filter(|sure| *sure <= 100),
                ..Sighting::default()
            };
            self.out.accept(found.line, *indicator, sighting);
        }
    }

    fn seen(&mut self, line: u32, text: Option<&str>) -> Option<Seen> {
        self.out.time(line, text?)
    }
}

#[cfg(test)]
mod tests;
