//! Feeds that take more than one request, or another one than GET.
//!
//! Whatever a server sends, be it pages or changes, becomes one snapshot here, which is judged,
//! kept and taken back like that of any other feed.

mod address;
mod answer;
mod crowdsec;
mod misp;
mod requests;
mod session;
mod taxii;
mod threatfox;

use self::{
    crowdsec::Decisions, misp::Events, requests::Requests, session::Session, taxii::Collection,
};
use super::{Fetched, HttpSource, HttpSpec, SourceError, Validators};
use crate::feed::Format;

/// What speaks at a feed's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// ThreatFox: what was reported in that many days.
    Threatfox { days: u8 },
    /// A collection's objects.
    Taxii,
    /// The decisions stream of a local API.
    Crowdsec,
    /// A manifest and its events.
    Misp,
}

impl Api {
    /// As the configuration spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Threatfox { .. } => "threatfox",
            Self::Taxii => "taxii",
            Self::Crowdsec => "crowdsec",
            Self::Misp => "misp",
        }
    }

    /// What its snapshots are.
    pub fn format(self) -> Format {
        match self {
            Self::Threatfox { .. } => Format::ThreatfoxJson,
            Self::Taxii => Format::Stix,
            Self::Crowdsec => Format::Crowdsec,
            Self::Misp => Format::Misp,
        }
    }
}

/// One such feed, and what is known of it so far. Fetches run one at a time.
#[derive(Debug)]
pub struct ApiSource {
    http: HttpSource,
    known: Known,
}

#[derive(Debug)]
enum Known {
    Threatfox { days: u8 },
    Taxii(Session<Collection>),
    Crowdsec(Session<Decisions>),
    Misp(Session<Events>),
}

impl ApiSource {
    /// Connects to nothing yet.
    pub fn new(spec: HttpSpec, api: Api) -> Self {
        let known = match api {
            Api::Threatfox { days } => Known::Threatfox { days },
            Api::Taxii => Known::Taxii(Session::default()),
            Api::Crowdsec => Known::Crowdsec(Session::default()),
            Api::Misp => Known::Misp(Session::default()),
        };
        let http = HttpSource::new(spec);
        Self { http, known }
    }

    /// Gets the snapshot. `validators` are those of the accepted body: where they are not those
    /// that came with the last one, that one was not taken, and all is asked for again.
    pub fn fetch(&self, validators: &Validators) -> Result<Fetched, SourceError> {
        let mut requests = Requests::new(&self.http);
        match &self.known {
            Known::Threatfox { days } => threatfox::fetch(&mut requests, *days),
            Known::Taxii(session) => session.fetch(&mut requests, validators),
            Known::Crowdsec(session) => session.fetch(&mut requests, validators),
            Known::Misp(session) => session.fetch(&mut requests, validators),
        }
    }

    /// Ends a fetch that another thread is in, at once. The source cannot be used afterwards.
    pub fn stop(&self) {
        self.http.stop();
    }
}
