//! What an HTTP status means for a feed, in words.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};

use super::Reason;

/// No server may silence a feed for longer than this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The reason for a status that is neither success nor a redirect.
pub(super) fn reason(code: u16) -> Reason {
    let (text, fix) = match code {
        401 => (
            "Unauthorized",
            "the feed wants a key, put its header into `headers_file`",
        ),
        403 => (
            "Forbidden",
            "the key is missing, wrong or expired, or this address is banned: check `headers_file`",
        ),
        404 => ("Not Found", "the feed has moved or ended, correct `url`"),
        407 => (
            "Proxy Authentication Required",
            "give the proxy's user and password in `proxy_auth_file`, or in the environment (`https_proxy`)",
        ),
        410 => (
            "Gone",
            "the feed has ended, remove it from the configuration",
        ),
        429 => ("Too Many Requests", "raise `interval`"),
        500..=599 => (
            "Server Error",
            "the feed's server has a problem, it will be tried again",
        ),
        400..=499 => (
            "Client Error",
            "the server refuses the request, check `url` and `headers_file`",
        ),
        _ => ("(unexpected)", "check what `url` serves"),
    };
    Reason::Status { code, text, fix }
}

/// `Retry-After` in either of its forms, capped; the date form is relative to `now`.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let wait = match value.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => until(value, now)?,
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

fn until(date: &str, now: Timestamp) -> Option<Duration> {
    let at = rfc2822::DateTimeParser::new()
        .parse_timestamp(date.trim())
        .ok()?;
    let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    Some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped() {
        let now = "2021-03-19T10:00:00Z".parse().unwrap();
        let cases = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999", Some(86_400)),
            ("Fri, 19 Mar 2021 10:01:30 GMT", Some(90)),
            ("Fri, 19 Mar 2021 09:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(
                retry_after(text, now),
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
    }

    #[test]
    fn each_status_names_itself_and_a_fix() {
        for code in [304, 400, 401, 403, 404, 407, 410, 418, 429, 500, 503, 599] {
            let text = reason(code).to_string();
            assert!(text.starts_with(&format!("answered {code} ")), "{text}");
            assert!(
                text.split(": ").nth(1).is_some_and(|fix| fix.len() > 10),
                "{text}"
            );
        }
    }
}
