//! Spans of time as people write them.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// `90s`, `6h`, `7d`, `1w 12h`: a day has 24 hours here. `None` for what is no such span, and for months and
/// years, which are not all of a length.
pub fn span(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let exact = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(exact).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_spans_and_months_are_not() {
        const HOUR: u64 = 3_600;
        for (text, seconds) in [
            ("0s", Some(0)),
            ("90s", Some(90)),
            ("6h", Some(6 * HOUR)),
            ("48h", Some(48 * HOUR)),
            ("7d", Some(7 * 24 * HOUR)),
            ("1d 12h", Some(36 * HOUR)),
            ("2w", Some(14 * 24 * HOUR)),
            ("", None),
            ("10", None),
            ("-5s", None),
            ("1mo", None),
            ("1y", None),
            ("soon", None),
        ] {
            assert_eq!(span(text).map(|span| span.as_secs()), seconds, "{text}");
        }
    }
}
