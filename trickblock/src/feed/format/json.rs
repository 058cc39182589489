//! What the readers of JSON share: records without a tree of them, and where each stands.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::feed::{Format, NotAFeed};

/// The members of an array, or the values of an object, in their order and unread. Nothing else is one.
#[derive(Debug, Default)]
pub(super) struct Values<'a>(pub(super) Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Values<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Collect)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Values<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Values<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = from.next_element()? {
            values.push(value);
        }
        Ok(Values(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Values<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some((_, value)) = from.next_entry::<serde::de::IgnoredAny, _>()? {
            values.push(value);
        }
        Ok(Values(values))
    }
}

/// Where the reader is: records come in the order of the text, so lines are counted once.
pub(super) struct Position<'a> {
    text: &'a str,
    offset: usize,
    line: u32,
}

impl<'a> Position<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
        }
    }

    /// The line in which `record`, a slice of the text, begins.
    pub(super) fn line_of(&mut self, record: &str) -> u32 {
        let offset = record
            .as_ptr()
            .addr()
            .saturating_sub(self.text.as_ptr().addr());
        let skipped = self
            .text
            .as_bytes()
            .get(self.offset..offset)
            .unwrap_or_default();
        let newlines = skipped.iter().filter(|byte| **byte == b'\n').count();
        self.line = self
            .line
            .saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        self.offset = self.offset.max(offset);
        self.line
    }
}

/// A body that is not the JSON that `expected` names.
pub(super) fn mismatch(format: Format, expected: &str, error: &serde_json::Error) -> NotAFeed {
    let reason = if error.is_eof() {
        format!(
            "the JSON ends too early, in line {}, so the feed is truncated",
            error.line()
        )
    } else {
        format!("it is not {expected} ({error})")
    };
    NotAFeed::Mismatch { format, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_arrays_and_objects_come_in_order_with_their_lines() {
        for text in [
            "[\n{\"a\": 1},\n\n{\"b\": 2}]",
            "{\"x\":\n{\"a\": 1},\n\n\"y\": {\"b\": 2}}",
        ] {
            let values: Values<'_> = serde_json::from_str(text).unwrap();
            let mut position = Position::new(text);
            let found: Vec<_> = values
                .0
                .iter()
                .map(|value| (position.line_of(value.get()), value.get()))
                .collect();
            assert_eq!(found, [(2, "{\"a\": 1}"), (4, "{\"b\": 2}")], "{text}");
        }
        assert!(serde_json::from_str::<Values<'_>>("7").is_err());
    }
}
