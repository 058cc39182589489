//! MISP events.

mod attribute;
mod family;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use self::{
    attribute::{Attribute, Meaning},
    family::{Galaxy, Tag, family},
};
use super::json::{Position, Values, mismatch};
use crate::{
    feed::{
        Format, NotAFeed, Options,
        collect::{Collector, Note},
    },
    indicator::{Indicator, Sighting},
};

/// What in the beginning of a body shows that it is one of these; `None` if nothing does.
pub(in crate::feed) fn shown_by(head: &str) -> Option<&'static str> {
    head.contains("\"Event\"").then_some("it has an `Event`")
}

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow, rename = "Event")]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<Values<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(default)]
    published: Value,
    #[serde(borrow, default, rename = "Attribute")]
    attributes: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "Object")]
    objects: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "Tag")]
    tags: Vec<Tag<'a>>,
    #[serde(borrow, default, rename = "Galaxy")]
    galaxies: Vec<Galaxy<'a>>,
}

/// Attributes that belong together.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default, rename = "Attribute")]
    attributes: Vec<&'a RawValue>,
    #[serde(default)]
    deleted: Value,
}

/// Reads the whole body; a truncated one is refused as a whole.
pub(super) fn read(text: &str, options: &Options, out: &mut Collector) -> Result<(), NotAFeed> {
    out.expect("events with attributes");
    let mut reader = Reader {
        unpublished: options.unpublished,
        position: Position::new(text),
        family: String::new(),
        out,
    };
    let events = events(text, 0)?;
    let alone = events.len() == 1;
    for event in events {
        match serde_json::from_str(event.get()) {
            Ok(read) => reader.event(&read, event),
            Err(error) if alone => return Err(wrong(&error)),
            Err(_) => reader.no_event(event),
        }
    }
    out.confirm_whole();
    Ok(())
}

fn wrong(error: &serde_json::Error) -> NotAFeed {
    mismatch(Format::Misp, "an event of MISP", error)
}

/// An array, `response` in it, and what that has.
const MAX_DEPTH: u8 = 3;

/// One event, several in `response`, or an array of either.
fn events(text: &str, depth: u8) -> Result<Vec<&RawValue>, NotAFeed> {
    if depth > MAX_DEPTH {
        return Err(NotAFeed::Mismatch {
            format: Format::Misp,
            reason: "its events are nested too deeply".to_owned(),
        });
    }
    let inside = depth.saturating_add(1);
    if text.trim_start().starts_with('[') {
        let wrapped: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| wrong(&error))?;
        let mut events = Vec::new();
        for one in wrapped {
            events.extend(self::events(one.get(), inside)?);
        }
        return Ok(events);
    }
    let wrapped: Wrapped<'_> = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    match wrapped {
        Wrapped {
            event: Some(event), ..
        } => Ok(vec![event]),
        Wrapped {
            response: Some(events),
            ..
        } => {
            let mut found = Vec::new();
            for event in events.0 {
                found.extend(self::events(event.get(), inside)?);
            }
            Ok(found)
        }
        _ => Err(NotAFeed::Mismatch {
            format: Format::Misp,
            reason: "it has no `Event`: the manifest of a feed only lists them".to_owned(),
        }),
    }
}

struct Reader<'a, 'o> {
    unpublished: bool,
    position: Position<'a>,
    /// Of the event that is read.
    family: String,
    out: &'o mut Collector,
}

impl Reader<'_, '_> {
    /// One of many that is none costs its own rows only.
    fn no_event(&mut self, text: &RawValue) {
        let line = self.position.line_of(text.get());
        self.out.reject(line, text.get(), "not an event of MISP");
    }

    fn event(&mut self, event: &Event<'_>, text: &RawValue) {
        let line = self.position.line_of(text.get());
        let published = !matches!(event.published, Value::Bool(false)) && event.published != "0";
        if !published && !self.unpublished {
            return self.skip(event, line);
        }
        if !published {
            self.out.note(line, Note::Unpublished);
        }
        self.family = family(&event.tags, &event.galaxies).unwrap_or_default();
        // In the order of the text, or their lines could not be told.
        let at = |values: &[&RawValue]| values.first().map(|value| value.get().as_ptr().addr());
        let objects_first =
            at(&event.objects).is_some_and(|objects| at(&event.attributes) > Some(objects));
        if objects_first {
            event.objects.iter().for_each(|object| self.object(object));
        }
        event
            .attributes
            .iter()
            .for_each(|attribute| self.attribute(attribute));
        if !objects_first {
            event.objects.iter().for_each(|object| self.object(object));
        }
    }

    /// Every attribute of an event that is not published counts, so that the sum is that of the body.
    fn skip(&mut self, event: &Event<'_>, line: u32) {
        self.out.note(line, Note::NotForDetection);
        for _ in &event.attributes {
            self.out.ignore();
        }
        for _ in &event.objects {
            self.out.ignore();
        }
    }

    fn attribute(&mut self, text: &RawValue) {
        let shown = text.get();
        let line = self.position.line_of(shown);
        let Ok(attribute) = serde_json::from_str::<Attribute<'_>>(shown) else {
            return self
                .out
                .reject(line, shown, "not an attribute with `type` and `value`");
        };
        match self.meaning(line, &attribute) {
            None | Some(Ok(Meaning::Port(_))) => self.out.ignore(),
            Some(Ok(Meaning::Address(indicator))) => self.accept(line, indicator, &attribute),
            Some(Err(reason)) => self.out.reject(line, shown, reason),
        }
    }

    /// Address and port are attributes of their own: each address has each port. Without a port the address is meant.
    fn object(&mut self, text: &RawValue) {
        let line = self.position.line_of(text.get());
        let Ok(object) = serde_json::from_str::<Object<'_>>(text.get()) else {
            let reason = "not an object with attributes";
            return self.out.reject(line, text.get(), reason);
        };
        if attribute::is_true(&object.deleted) {
            self.out.note(line, Note::NotForDetection);
            object.attributes.iter().for_each(|_| self.out.ignore());
            return;
        }
        let mut found = Vec::new();
        let (mut ports, mut bad_port) = (Vec::new(), false);
        for text in &object.attributes {
            let shown = text.get();
            let line = self.position.line_of(shown);
            let Ok(attribute) = serde_json::from_str::<Attribute<'_>>(shown) else {
                self.out
                    .reject(line, shown, "not an attribute with `type` and `value`");
                continue;
            };
            match self.meaning(line, &attribute) {
                None => self.out.ignore(),
                Some(Ok(Meaning::Address(indicator))) => {
                    found.push((line, shown, indicator, attribute));
                }
                Some(Ok(Meaning::Port(port))) => {
                    // It says something of the addresses beside it, and is no row of its own.
                    self.out.ignore();
                    ports.push(port);
                }
                Some(Err(reason)) => {
                    bad_port |= attribute.is_port();
                    self.out.reject(line, shown, reason);
                }
            }
        }
        for (line, shown, indicator, attribute) in found {
            if bad_port {
                self.out.reject(
                    line,
                    shown,
                    "the port beside it is wrong, and without it the address would be meant",
                );
            } else if ports.is_empty() || indicator.port.is_some() {
                self.accept(line, indicator, &attribute);
            } else {
                for port in &ports {
                    let with_port =
                        Indicator::new(indicator.prefix, indicator.protocol, Some(*port));
                    self.accept(line, with_port, &attribute);
                }
            }
        }
    }

    /// `None`: nothing that could be blocked, or not meant to be.
    fn meaning(
        &mut self,
        line: u32,
        attribute: &Attribute<'_>,
    ) -> Option<Result<Meaning, attribute::Bad>> {
        if attribute.is_source() {
            self.out.note(line, Note::Source);
            return None;
        }
        if !attribute.names_network() {
            return None;
        }
        if attribute.is_deleted() || (!attribute.is_for_detection() && !attribute.is_port()) {
            self.out.note(line, Note::NotForDetection);
            return None;
        }
        Some(attribute.meaning())
    }

    fn accept(&mut self, line: u32, indicator: Indicator, attribute: &Attribute<'_>) {
        let family = self.out.family(&self.family);
        let (first_seen, last_seen) = attribute.seen();
        let sighting = Sighting {
            family,
            first_seen,
            last_seen,
            ..Sighting::default()
        };
        self.out.accept(line, indicator, sighting);
    }
}

#[cfg(test)]
mod tests;
