//! TCP throughput of a container, with the filter and without it, by turns in one run.
//!
//! Other work on the machine comes and goes, so that two runs one after the other compare nothing.
//! Here every slice with the filter has one without it beside it, and what counts is the median of
//! their quotients.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use super::{BENIGN, BRIDGE, World};
use crate::{
    cli::{Daemon, Site},
    sys,
};

/// One way to filter, measured.
#[derive(Debug)]
pub struct Result {
    /// Interface and hook.
    pub place: String,
    /// `upload` or `download`, as the container sees it.
    pub way: &'static str,
    /// Medians in Gbit/s.
    pub without: f64,
    pub with: f64,
    /// The median of the quotients of neighbours, and their quartiles.
    pub quotient: f64,
    pub quartiles: (f64, f64),
}

/// Measures `pairs` pairs of slices for every place and way.
pub fn run(pairs: usize, mut say: impl FnMut(&str)) -> anyhow::Result<Vec<Result>> {
    let world = World::new()?;
    world.container("job", &[], &["sleep", "86400"])?;
    let container = world.namespace_of("job")?;
    let server = File::open(world.benign.path()).context("namespace")?;
    let veth = world.port_of("job")?;
    let mut results = Vec::new();
    for (interface, hook) in [
        (BRIDGE, "tcx"),
        (&veth, "tcx"),
        (&veth, "xdp"),
        (BRIDGE, "xdp"),
    ] {
        let kind = if interface == BRIDGE {
            "bridge"
        } else {
            "veth"
        };
        say(&format!(
            "{kind}, {hook}: {pairs} pairs of slices, up and down"
        ));
        let site = configure(&world, interface, hook)?;
        let _daemon = Daemon::start(&site, Some(&world.engine.host))?;
        let endpoint = SocketAddr::new(BENIGN.parse().context("an address")?, PORT);
        for way in ["upload", "download"] {
            let slice = || transfer(&container, &server, endpoint, way == "upload");
            let place = format!("{kind}, {hook}");
            results.push(compare(&world, &site, pairs, slice)?.named(place, way));
        }
    }
    Ok(results)
}

const PORT: u16 = 5_001;
const SLICE: Duration = Duration::from_millis(400);

/// The servers' /24 holds a listed address, so that every packet takes the closer look.
fn configure(world: &World, interface: &str, hook: &str) -> anyhow::Result<Site> {
    let site = Site::new()?;
    let feed = site.dir().join("c2.txt");
    fs::write(&feed, "203.0.113.7:447\n").context("feed")?;
    site.configure(&format!(
        "[docker]\nsocket = {:?}\n[[interface]]\nname = {interface:?}\nrole = \"inside\"\n\
         hook = {hook:?}\n[[feed]]\nname = \"own\"\npath = {feed:?}\n",
        world.engine.socket()
    ))?;
    Ok(site)
}

#[derive(Default)]
struct Pairs(Vec<(f64, f64)>);

/// Which of a pair is first changes from pair to pair, and so does what either leaves behind.
fn compare(
    world: &World,
    site: &Site,
    pairs: usize,
    slice: impl Fn() -> anyhow::Result<f64>,
) -> anyhow::Result<Pairs> {
    let switch = |verb| {
        let run = site.verb(verb, &[]).within(&world.engine.host);
        run.output()?.succeeded().map(drop)
    };
    slice()?;
    let mut measured = Pairs::default();
    for pair in 0..pairs {
        sys::stop_if_interrupted()?;
        let filter_first = pair % 2 == 0;
        switch(if filter_first { "on" } else { "off" })?;
        let first = slice()?;
        switch(if filter_first { "off" } else { "on" })?;
        let second = slice()?;
        let (with, without) = match filter_first {
            true => (first, second),
            false => (second, first),
        };
        measured.0.push((without, with));
    }
    switch("on")?;
    Ok(measured)
}

impl Pairs {
    fn named(&self, place: String, way: &'static str) -> Result {
        let sorted = |value: fn(&(f64, f64)) -> f64| {
            let mut values: Vec<f64> = self.0.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let at = |values: &[f64], quarter: usize| {
            let index = values.len() * quarter / 4;
            values.get(index).copied().unwrap_or(f64::NAN)
        };
        let quotients = sorted(|(without, with)| with / without);
        Result {
            place,
            way,
            without: at(&sorted(|(without, _)| *without), 2),
            with: at(&sorted(|(_, with)| *with), 2),
            quotient: at(&quotients, 2),
            quartiles: (at(&quotients, 1), at(&quotients, 3)),
        }
    }
}

/// Gbit/s that arrive in one slice. The client connects, whoever sends.
fn transfer(
    client: &File,
    server: &File,
    endpoint: SocketAddr,
    upload: bool,
) -> anyhow::Result<f64> {
    let listener = inside(server, || TcpListener::bind(endpoint)).context("listen")?;
    let near = inside(client, || TcpStream::connect_timeout(&endpoint, SLICE * 10));
    let near = near.with_context(|| format!("connect to {endpoint}"))?;
    let (far, _) = listener.accept().context("accept")?;
    let (from, to) = if upload { (near, far) } else { (far, near) };
    let sender = thread::spawn(move || send(from));
    let start = Instant::now();
    let bytes = receive(to).context("receive")?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(sender.join().is_ok(), "the sender panicked");
    Ok(bytes as f64 * 8.0 / seconds / 1e9)
}

fn send(mut stream: TcpStream) -> io::Result<()> {
    let block = vec![0x5a; 256 << 10];
    let start = Instant::now();
    while start.elapsed() < SLICE {
        stream.write_all(&block)?;
    }
    Ok(())
}

/// Up to the end of the connection.
fn receive(mut stream: TcpStream) -> io::Result<u64> {
    stream.set_read_timeout(Some(SLICE * 10))?;
    let mut block = vec![0; 256 << 10];
    let mut total = 0_u64;
    loop {
        match stream.read(&mut block)? {
            0 => return Ok(total),
            count => total = total.saturating_add(u64::try_from(count).unwrap_or(0)),
        }
    }
}

fn inside<T: Send>(namespace: &File, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let enter = || sys::enter_netns(namespace).and_then(|()| work());
    match thread::scope(|scope| scope.spawn(enter).join()) {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

impl World {
    /// The network namespace of the container `name`. The engine numbers processes in a namespace of
    /// its own; their control groups are named after containers for everybody.
    fn namespace_of(&self, name: &str) -> anyhow::Result<File> {
        let id = self.engine.done(&["inspect", "--format={{.Id}}", name])?;
        let processes = fs::read_dir("/proc").context("/proc")?.flatten();
        let is_inside = |process: &Path| {
            fs::read_to_string(process.join("cgroup")).is_ok_and(|groups| groups.contains(&id))
        };
        let mut paths = processes.map(|process| process.path());
        let process = paths.find(|path| is_inside(path));
        let process = process.with_context(|| format!("no process of container {id}"))?;
        File::open(process.join("ns/net")).context("its network namespace")
    }
}

/// The figures, for people.
pub fn table(results: &[Result]) -> String {
    let head = format!(
        "{:<14} {:<9} {:>15} {:>15} {:>9}   {}\n",
        "filter on", "way", "without Gbit/s", "with Gbit/s", "quotient", "quartiles"
    );
    let line = |result: &Result| {
        let Result {
            place,
            way,
            without,
            with,
            quotient,
            quartiles: (low, high),
        } = result;
        format!(
            "{place:<14} {way:<9} {without:>15.1} {with:>15.1} {quotient:>9.3}   {low:.3} to {high:.3}\n"
        )
    };
    head + &results.iter().map(line).collect::<String>()
}
