//! Feeds behind an API: questions, pages and changes become snapshots, whatever the server does.

#[path = "apis/crowdsec.rs"]
mod crowdsec;
#[path = "apis/misp.rs"]
mod misp;
#[path = "apis/taxii.rs"]
mod taxii;
#[path = "apis/threatfox.rs"]
mod threatfox;

use std::time::Duration;

use trickblock::{
    feed::{
        Options, Parsed, parse,
        source::{Api, ApiSource, Fetched, HttpSpec, SourceError, Validators},
    },
    indicator::Seen,
};

fn spec(url: &str, api: Api) -> HttpSpec {
    HttpSpec {
        timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(2),
        headers: vec![("auth-key".parse().unwrap(), "s3cret".parse().unwrap())],
        api: Some(api),
        ..HttpSpec::new(url.parse().unwrap())
    }
}

/// A source as the daemon uses it: what was accepted last makes the next fetch conditional.
struct Feed {
    source: ApiSource,
    accepted: Validators,
}

impl Feed {
    fn new(url: &str, api: Api) -> Self {
        Self {
            source: ApiSource::new(spec(url, api), api),
            accepted: Validators::default(),
        }
    }

    /// The next snapshot, taken.
    fn take(&mut self) -> Vec<String> {
        let (parts, validators) = self.get().unwrap();
        self.accepted = validators;
        parts
    }

    /// The next snapshot, refused.
    fn refuse(&mut self) -> Vec<String> {
        let (parts, _) = self.get().unwrap();
        self.accepted = Validators::default();
        parts
    }

    fn error(&mut self) -> String {
        self.get().unwrap_err().to_string()
    }

    fn get(&self) -> Result<(Vec<String>, Validators), SourceError> {
        let Fetched::Body { body, validators } = self.source.fetch(&self.accepted)? else {
            panic!("not modified")
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let parts = body.parts.iter().map(|part| text(&part.bytes)).collect();
        Ok((parts, validators))
    }
}

/// What the reader of the API's own format makes of a snapshot, had now.
fn read(part: &str, api: Api) -> Parsed {
    let options = Options {
        format: Some(api.format()),
        received: Seen::from_unix(jiff::Timestamp::now().as_second()),
        ..Options::default()
    };
    parse(part.as_bytes(), options).unwrap()
}

/// The entries of a snapshot, in the order of the text.
fn entries(part: &str, api: Api) -> Vec<String> {
    let rows = read(part, api).rows;
    rows.iter().map(|row| row.indicator.to_string()).collect()
}
