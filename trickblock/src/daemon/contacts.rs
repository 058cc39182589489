//! Hits as the kernel reports them: logged, and kept as contacts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use trickblock_common::abi::Event;

use super::{
    engine::Engine,
    protocol::{Code, Refusal},
};
use crate::{
    kernel::{FilterError, event_clock},
    observe::{
        contacts::{self, Named, Recorder, Sighted},
        containers::Containers,
        status::EventStatus,
    },
};

/// What is known of contacts, shared by those who learn and those who ask.
#[derive(Clone, Debug)]
pub struct Ledger {
    records: Arc<Mutex<Recorder>>,
    containers: Arc<Mutex<Containers>>,
}

impl Ledger {
    pub fn new(since: Timestamp) -> Self {
        Self {
            records: Arc::new(Mutex::new(Recorder::new(since))),
            containers: Arc::default(),
        }
    }

    /// Holders of addresses; never locked for longer than a look.
    pub fn containers(&self) -> MutexGuard<'_, Containers> {
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn records(&self) -> MutexGuard<'_, Recorder> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became known since the last time is filled in.
    fn settle(&self) {
        let containers = self.containers();
        self.records().name_containers(&containers);
    }
}

/// Takes the events of one filter.
#[derive(Debug)]
pub struct Contacts(Ledger);

impl Contacts {
    pub fn new(ledger: Ledger) -> Self {
        Self(ledger)
    }

    /// Records a contact, and says it: the first of a client with a server at INFO, repetitions at
    /// DEBUG.
    pub fn take(&mut self, event: &Event) {
        let Some(sighted) = Sighted::of(event, time_of(event)) else {
            return;
        };
        let container = sighted.holder(&self.0.containers(), sighted.at);
        let is_new = self.0.records().record(sighted, container.clone());
        let name = container.as_ref().map(|container| container.name.as_str());
        log(&sighted, name, is_new);
    }
}

fn log(sighted: &Sighted, container: Option<&str>, is_new: bool) {
    let (reason, direction) = (sighted.reason.name(), sighted.direction.name());
    let (ifindex, flow) = (sighted.interface, sighted.flow());
    let hook = if sighted.egress { "egress" } else { "ingress" };
    if is_new {
        tracing::info!(
            reason,
            direction,
            hook,
            ifindex,
            container,
            "C2 contact: {flow}"
        );
    } else {
        tracing::debug!(
            reason,
            direction,
            hook,
            ifindex,
            container,
            "C2 contact: {flow}"
        );
    }
}

/// The kernel stamps packets with the time since boot.
fn time_of(event: &Event) -> Timestamp {
    let now = Timestamp::now();
    let age = event_clock().map(|clock| clock.saturating_sub(event.time));
    let age = age.ok().and_then(|age| i64::try_from(age).ok());
    now.checked_sub(SignedDuration::from_nanos(age.unwrap_or(0)))
        .unwrap_or(now)
}

impl Engine {
    /// Names what was recorded since the last call. Not while a packet is recorded: among a million
    /// indicators the search takes its time.
    pub fn settle_contacts(&self) -> Result<(), FilterError> {
        self.ledger.containers().forget(Timestamp::now());
        self.ledger.settle();
        let unnamed = self.ledger.records().unnamed();
        if unnamed.is_empty() {
            return Ok(());
        }
        let named = self.live.iter().filter(|entry| unnamed.contains(&entry.id));
        let named = named
            .map(|entry| {
                let listed = self.listed(entry, 0);
                let feeds = listed.sources.into_iter().map(|origin| origin.feed);
                let named = Named {
                    indicator: listed.indicator,
                    family: listed.family,
                    feeds: feeds.collect::<BTreeSet<_>>().into_iter().collect(),
                };
                (entry.id, Arc::new(named))
            })
            .collect();
        let interfaces: BTreeMap<_, _> = self
            .hooks
            .attached()?
            .into_iter()
            .map(|on| (on.ifindex, on.name))
            .collect();
        self.ledger.records().name(&named, &interfaces);
        Ok(())
    }

    /// The answer to `contacts`, of the last `seconds` where they are given.
    pub fn contacts(&self, seconds: Option<u64>) -> Result<contacts::Contacts, Refusal> {
        let failed = |error: FilterError| {
            Refusal::new(Code::Failed, error.to_string(), "look at the daemon's log")
        };
        self.settle_contacts().map_err(failed)?;
        let lost = self.filter.maps.lost().map_err(failed)?;
        let events = EventStatus {
            read: self.events_read.load(std::sync::atomic::Ordering::Relaxed),
            limited: lost.limited.saturating_sub(self.lost_before.limited),
            lost: lost.full.saturating_sub(self.lost_before.full),
        };
        let since = seconds.map(ago);
        let containers = self.ledger.containers();
        Ok(self.ledger.records().report(since, events, &containers))
    }
}

fn ago(seconds: u64) -> Timestamp {
    let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    Timestamp::now().checked_sub(span).unwrap_or(Timestamp::MIN)
}
