//! What is said over the control socket: one JSON object per line, in both directions.
//!
//! ```text
//! {"v":1,"verb":"status","args":{}}
//! {"v":1,"ok":true,"data":{…}}
//! {"v":1,"ok":false,"error":{"code":"denied","message":"…","fix":"…"}}
//! ```

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Raised when a line of this version would be misunderstood by the last one.
pub const VERSION: u32 = 1;

/// Version of the JSON of answers that have no other.
pub const SCHEMA: u32 = 1;

/// What the daemon can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Status,
    List,
    Why,
    Contacts,
    Feeds,
    Metrics,
    /// What a held update would change.
    Diff,
    History,
    /// What the operator blocks and allows.
    ByHand,
    Off,
    On,
    Reload,
    Approve,
    Reject,
    RollBack,
    Block,
    Unblock,
    Allow,
    Disallow,
}

const VERBS: [(&str, Verb); 19] = [
    ("status", Verb::Status),
    ("list", Verb::List),
    ("why", Verb::Why),
    ("contacts", Verb::Contacts),
    ("feeds", Verb::Feeds),
    ("metrics", Verb::Metrics),
    ("diff", Verb::Diff),
    ("history", Verb::History),
    ("by-hand", Verb::ByHand),
    ("approve", Verb::Approve),
    ("reject", Verb::Reject),
    ("rollback", Verb::RollBack),
    ("block", Verb::Block),
    ("unblock", Verb::Unblock),
    ("allow", Verb::Allow),
    ("disallow", Verb::Disallow),
    ("off", Verb::Off),
    ("on", Verb::On),
    ("reload", Verb::Reload),
];

impl Verb {
    /// Changing verbs are for root; reading ones for everybody who may open the socket.
    pub fn changes(self) -> bool {
        match self {
            Self::Status | Self::List | Self::Why | Self::Contacts | Self::Metrics => false,
            Self::Feeds | Self::Diff | Self::History | Self::ByHand => false,
            Self::Off | Self::On | Self::Reload => true,
            Self::Approve | Self::Reject | Self::RollBack => true,
            Self::Block | Self::Unblock | Self::Allow | Self::Disallow => true,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = VERBS
            .iter()
            .find(|(_, verb)| verb == self)
            .map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// The text is no verb.
#[derive(Debug, thiserror::Error)]
#[error("unknown verb `{0}`")]
pub struct UnknownVerb(String);

impl FromStr for Verb {
    type Err = UnknownVerb;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = VERBS.iter().find(|(name, _)| *name == text);
        known
            .map(|(_, verb)| *verb)
            .ok_or_else(|| UnknownVerb(text.to_owned()))
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub verb: Verb,
    /// An object; `null` where the verb has no arguments.
    pub args: Value,
}

impl Request {
    pub fn new(verb: Verb, args: Value) -> Self {
        Self { verb, args }
    }

    /// The line to send, newline included.
    pub fn to_line(&self) -> String {
        let wire =
            serde_json::json!({ "v": VERSION, "verb": self.verb.to_string(), "args": self.args });
        format!("{wire}\n")
    }

    /// Reads a line. The error is the answer that it deserves.
    pub fn from_line(line: &[u8]) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Versioned {
            v: u32,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wire {
            #[serde(rename = "v")]
            _v: u32,
            verb: String,
            #[serde(default)]
            args: Value,
        }
        let bad = |reason: &dyn fmt::Display| {
            Refusal::new(
                Code::BadRequest,
                format!("not a request ({reason})"),
                r#"send one line such as {"v":1,"verb":"status"}"#,
            )
        };
        let Versioned { v } = serde_json::from_slice(line).map_err(|error| bad(&error))?;
        if v != VERSION {
            return Err(Refusal::new(
                Code::Version,
                format!("the request speaks version {v}, this daemon speaks {VERSION}"),
                "use the trickblock command that was installed with the running daemon, or restart the daemon",
            ));
        }
        let Wire { verb, args, .. } = serde_json::from_slice(line).map_err(|error| bad(&error))?;
        let verb = verb.parse().map_err(|error: UnknownVerb| {
            let names: Vec<_> = VERBS.iter().map(|(name, _)| *name).collect();
            Refusal::new(
                Code::BadRequest,
                error.to_string(),
                format!("use one of {}", names.join(", ")),
            )
        })?;
        Ok(Self { verb, args })
    }
}

/// Why a request was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The caller may not do this.
    Denied,
    /// The line is not a request, or its arguments make no sense.
    BadRequest,
    /// It was tried and did not work.
    Failed,
    /// A guard forbids it.
    Guarded,
    /// The two sides speak different versions.
    Version,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied => "denied",
            Self::BadRequest => "bad request",
            Self::Failed => "failed",
            Self::Guarded => "guarded",
            Self::Version => "version",
        })
    }
}

/// An answer that says no: what, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}: {fix}")]
pub struct Refusal {
    pub code: Code,
    pub message: String,
    pub fix: String,
}

impl Refusal {
    pub fn new(code: Code, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            fix: fix.into(),
        }
    }
}

/// One answer. With data it is its line already: a list of a million indicators is never a tree of
/// a million nodes, nor copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response(Result<Vec<u8>, Refusal>);

impl Response {
    /// Success with `data`; data that cannot be written as JSON is a failure that says so.
    pub fn data(data: &impl Serialize) -> Self {
        let mut line = format!("{{\"v\":{VERSION},\"ok\":true,\"data\":").into_bytes();
        let written = serde_json::to_writer(&mut line, data).map_err(|error| {
            Refusal::new(
                Code::Failed,
                format!("the answer cannot be written as JSON ({error})"),
                "report this as a bug",
            )
        });
        line.extend_from_slice(b"}\n");
        Self(written.map(|()| line))
    }

    /// Why not, if it says no.
    pub fn refused(&self) -> Option<&Refusal> {
        self.0.as_ref().err()
    }

    pub fn refusal(refusal: Refusal) -> Self {
        Self(Err(refusal))
    }

    /// The line to send, newline included.
    pub fn into_line(self) -> Vec<u8> {
        self.0.unwrap_or_else(|error| {
            let said = serde_json::json!({ "v": VERSION, "ok": false, "error": error });
            format!("{said}\n").into_bytes()
        })
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        Self::refusal(refusal)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn request_survives_the_wire() {
        for (name, verb) in VERBS {
            let request = Request::new(verb, json!({ "text": "two\nlines" }));
            let line = request.to_line();
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(Request::from_line(line.as_bytes()).unwrap(), request);
            assert_eq!(verb.to_string(), name);
        }
    }

    #[test]
    fn each_bad_line_gets_its_code() {
        let cases: [(&[u8], Code); 8] = [
            (b"", Code::BadRequest),
            (b"hello", Code::BadRequest),
            (b"\xff\xfe", Code::BadRequest),
            (b"[1]", Code::BadRequest),
            (br#"{"verb":"status"}"#, Code::BadRequest),
            (br#"{"v":1,"verb":"stauts"}"#, Code::BadRequest),
            (br#"{"v":1,"verb":"status","argz":{}}"#, Code::BadRequest),
            (br#"{"v":2,"anything":"else"}"#, Code::Version),
        ];
        for (line, code) in cases {
            let refusal = Request::from_line(line).unwrap_err();
            assert_eq!(refusal.code, code, "{refusal}");
            assert!(!refusal.fix.is_empty());
        }
    }

    #[test]
    fn answers_are_one_line_of_json_each() {
        let good: Value =
            serde_json::from_slice(&Response::data(&json!({ "n": 1 })).into_line()).unwrap();
        let refusal = Refusal::new(Code::Denied, "no\nway", "be root");
        let bad: Value = serde_json::from_slice(&Response::from(refusal).into_line()).unwrap();

        assert_eq!(good, json!({ "v": 1, "ok": true, "data": { "n": 1 } }));
        let error = json!({ "code": "denied", "message": "no\nway", "fix": "be root" });
        assert_eq!(bad, json!({ "v": 1, "ok": false, "error": error }));
    }
}
