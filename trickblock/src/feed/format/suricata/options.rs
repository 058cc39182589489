//! The options of a rule, as far as they say whether it is about an address alone.

/// They name, count or mark, and leave the traffic that is meant as it is.
const HARMLESS: [&str; 17] = [
    "msg",
    "reference",
    "sid",
    "rev",
    "gid",
    "classtype",
    "metadata",
    "priority",
    "threshold",
    "detection_filter",
    "flow",
    "flags",
    "flowbits",
    "xbits",
    "target",
    "noalert",
    "tag",
];

/// What matters of the options of one rule.
#[derive(Debug, Default)]
pub(super) struct Options<'a> {
    narrower: bool,
    /// The malware family of `metadata`.
    pub(super) family: Option<&'a str>,
}

impl<'a> Options<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let mut options = Self::default();
        for option in split(text) {
            let (keyword, value) = option.split_once(':').unwrap_or((option, ""));
            options.take(keyword.trim(), value.trim());
        }
        options
    }

    fn take(&mut self, keyword: &str, value: &'a str) {
        if keyword.is_empty() {
            return;
        }
        let asks =
            matches!(keyword, "flowbits" | "xbits") && value.contains("set") && is_question(value);
        self.narrower |= asks || !HARMLESS.contains(&keyword);
        if keyword == "metadata" {
            let mut entries = value.split(',').map(str::trim);
            self.family = self
                .family
                .or_else(|| entries.find_map(|entry| entry.strip_prefix("malware_family ")));
        }
    }

    /// Whether the rule means all traffic with its addresses and ports.
    pub(super) fn are_harmless(&self) -> bool {
        !self.narrower
    }
}

/// `isset` and `isnotset` ask what other rules have seen.
fn is_question(value: &str) -> bool {
    value.starts_with("isset") || value.starts_with("isnotset")
}

/// Options end with `;`, but not inside of quotes.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(move |c: char| {
        let was_escaped = escaped;
        escaped = c == '\\' && !was_escaped;
        if c == '"' && !was_escaped {
            quoted = !quoted;
        }
        c == ';' && !quoted && !was_escaped
    });
    parts.map(str::trim)
}
