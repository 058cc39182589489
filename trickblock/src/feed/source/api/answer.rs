//! Answers in JSON: arrays of records that stay unread, up to a bound.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::super::Reason;

/// No list of indicators is longer; each record costs more than its bytes.
pub(super) const MAX_RECORDS: usize = 1_000_000;

/// The answer as `T`, which `expected` names.
pub(super) fn read<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    expected: &'static str,
) -> Result<T, Reason> {
    serde_json::from_slice(bytes).map_err(|error| Reason::answer(expected, &error))
}

/// The members of an array, unread.
#[derive(Debug, Default)]
pub(super) struct Records<'a>(pub(super) Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Records<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(Collect)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Records<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Records<'de>, A::Error> {
        let mut records = Vec::new();
        while let Some(record) = from.next_element()? {
            if records.len() >= MAX_RECORDS {
                let text = format_args!("more than {MAX_RECORDS} records");
                return Err(A::Error::custom(text));
            }
            records.push(record);
        }
        Ok(Records(records))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_bounded_and_errors_short() {
        let zeros = |count: usize| format!("[{}0]", "0,".repeat(count));
        let most = zeros(MAX_RECORDS - 1);
        let most: Records<'_> = read(most.as_bytes(), "zeros").unwrap();
        assert_eq!(most.0.len(), MAX_RECORDS);
        let more = zeros(MAX_RECORDS);
        let error = read::<Records<'_>>(more.as_bytes(), "zeros").unwrap_err();
        assert!(error.to_string().contains("more than 1000000 records"));
        let long = format!("\"{}\"", "x".repeat(100_000));
        let error = read::<Records<'_>>(long.as_bytes(), "zeros").unwrap_err();
        assert!(error.to_string().len() < 500, "{error}");
    }
}
