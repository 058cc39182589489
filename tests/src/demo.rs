//! The demo: the main job on real frames, in a lab of network namespaces.
//!
//! A round of packets between every client and server is sent with the filter off, and must
//! arrive completely; with the filter on the same round must lose exactly the packets of listed
//! C2s. Then a C2 appears in the feed, another is removed, the daemon is stopped (the filter
//! must stay), and the filter is taken away. Everything is counted by the hosts' own sockets.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::harness::Need;

pub mod channel;
pub mod feed;
pub mod filter;
pub mod lists;
pub mod message;
mod phases;
pub mod plan;
pub mod report;
pub mod round;
pub mod stream;
pub mod summary;
pub mod tcp;
mod tcp_server;
pub mod topology;
pub mod udp;
pub mod witness;

use channel::Channel;
use feed::FeedServer;
use filter::{Filter, Place};
use message::Ledger;
use plan::Role;
use report::Report;
use topology::Topology;
use witness::Witness;

/// How often the daemon asks for the feeds.
pub const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Runs the demo with `filter`, calling `progress` with a line now and then. Whatever happens,
/// even a panic, ends in the report; by then everything that was set up is gone again.
pub fn run(filter: impl Filter, progress: impl FnMut(&str)) -> Report {
    let started = Instant::now();
    let mut report = Report {
        poll_interval: POLL_INTERVAL,
        ..Report::default()
    };
    let attempt = AssertUnwindSafe(|| run_phases(filter, progress, &mut report));
    let result = catch_unwind(attempt).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(anyhow::anyhow!(
            "a panic: {}",
            message.unwrap_or("without a message")
        ))
    });
    report.error = result.err().map(|error| format!("{error:#}"));
    report.duration = started.elapsed();
    report
}

/// Fields are dropped in this order: the daemon ends before its network goes.
struct Demo<'a, F, P> {
    filter: F,
    progress: P,
    started: Instant,
    report: &'a mut Report,
    place: Place,
    channels: Vec<Arc<Channel>>,
    witness: Witness,
    feed: FeedServer,
    _topology: Topology,
}

fn run_phases(
    filter: impl Filter,
    mut progress: impl FnMut(&str),
    report: &mut Report,
) -> anyhow::Result<()> {
    for need in [Need::Root, Need::Netns] {
        if let Some(reason) = need.unmet() {
            bail!("the demo cannot run here: {reason}");
        }
    }
    progress("building the lab: 4 clients, 3 servers, 2 routers, 1 gateway");
    let mut demo = Demo::new(filter, progress, report)?;
    let result = demo.all_phases();
    demo.report.requests = demo.feed.requests();
    if result.is_err() || !demo.report.failures().is_empty() {
        demo.report.log = demo.filter.log();
    }
    result
}

impl<'a, F: Filter, P: FnMut(&str)> Demo<'a, F, P> {
    fn new(filter: F, progress: P, report: &'a mut Report) -> anyhow::Result<Self> {
        let topology = Topology::new()?;
        let pairs = plan::pairs()?;
        let ledger = Arc::new(Ledger::default());
        let channels: Vec<_> = pairs
            .iter()
            .map(|pair| Channel::open(*pair, &topology, &ledger).map(Arc::new))
            .collect::<Result<_, _>>()?;
        let listed: Vec<_> = pairs
            .iter()
            .filter(|pair| pair.role != Role::Benign)
            .collect();
        let endpoints: Vec<_> = listed.iter().map(|pair| pair.endpoint).collect();
        let (infected, c2) = (topology.clients.first(), topology.servers.first());
        let (infected, c2) = infected.zip(c2).context("a lab without hosts")?;
        let witness = Witness::start(&[infected, c2], &endpoints)?;
        let feed = start_feed(&topology)?;
        let place = Place {
            gateway: topology.gateway.clone(),
            csv_url: feed.url(CSV_PATH),
            plain_url: feed.url(PLAIN_PATH),
            poll_interval: POLL_INTERVAL,
            indicators: u64::try_from(lists::csv_rows(&pairs, &AT_FIRST).len())?
                + lists::PLAIN_ROWS,
        };
        let started = Instant::now();
        let _topology = topology;
        Ok(Self {
            filter,
            progress,
            started,
            report,
            place,
            channels,
            witness,
            feed,
            _topology,
        })
    }

    fn say(&mut self, line: &str) {
        let line = format!("[{:5.1} s] {line}", self.started.elapsed().as_secs_f64());
        (self.progress)(&line);
    }
}

const CSV_PATH: &str = "/feodo.csv";
const PLAIN_PATH: &str = "/plain.txt";
/// What the CSV lists when the daemon starts.
const AT_FIRST: [Role; 2] = [Role::C2, Role::RemovedC2];

fn start_feed(topology: &Topology) -> anyhow::Result<FeedServer> {
    let netns = topology.servers.last().context("a lab without servers")?;
    let host = plan::SERVERS.last().context("a plan without servers")?;
    let (address, _) = topology::address_of(host)?;
    FeedServer::start(netns, (address, 80).into())
}
