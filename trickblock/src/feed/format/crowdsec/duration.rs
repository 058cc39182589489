//! Spans of time as Go writes them: `3h59m58.1s`, `-1.5h`, `300ms`.

/// Whole seconds, rounded towards zero; `None` if the text is no span.
pub(in crate::feed) fn seconds(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 8] = [
        // Longer names first: `ms` ends like `s`, and begins like `m`.
        ("ms", 1e-3),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("μs", 1e-6),
        ("ns", 1e-9),
        ("h", 3_600.0),
        ("m", 60.0),
        ("s", 1.0),
    ];
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let (unit, length) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        sum += number.parse::<f64>().ok()? * length;
        rest = after.strip_prefix(unit)?;
    }
    let seconds = (sign * sum).trunc();
    // A century is beyond any decision, and within what both types hold exactly.
    (seconds.abs() < 4e9).then_some(seconds as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_as_go_writes_them() {
        for (text, expected) in [
            ("3h59m58.1s", 14_398),
            ("1h", 3_600),
            ("-1.5h", -5_400),
            ("300ms", 0),
            ("1m0.9s", 60),
            ("0", 0),
            ("0s", 0),
            ("167h59m59.999999999s", 604_799),
            ("1500000µs", 1),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "-",
            "h",
            "5",
            "5x",
            "1h5",
            "..s",
            "1d",
            "1h -5m",
            "99999999999999h",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
