//! A filter in the kernel and its twin on the host.

use std::{collections::BTreeMap, path::Path};

use trickblock::{
    kernel::{Filter, Load, Program},
    table::{Constants, Entry},
};

use super::{
    Answer, BPFFS, Directed, Host, SMALL, Setup, directed, entries,
    host::{constants, interface_of, program},
    never,
};

/// In a test run, a packet is said to come from loopback.
const LOOPBACK: u32 = 1;

/// A loaded program that nothing else uses, and the host's copy of what it looks up.
pub struct Twins {
    /// One for each set of load-time constants that was asked for so far.
    filters: Vec<(Constants, Filter)>,
    current: usize,
    program: Program,
    host: Host,
    entries: Vec<Entry>,
}

impl Twins {
    /// An empty filter. Panics where the kernel refuses it.
    pub fn load() -> Self {
        let constants = Constants::default();
        let filter = load(&constants).expect("a loaded filter");
        let snapshot = filter.maps.snapshot().expect("a snapshot");
        let host = Host::of(snapshot, &[], &Setup::default()).expect("nothing to refuse");
        Self {
            filters: vec![(constants, filter)],
            current: 0,
            program: Program::Xdp,
            host,
            entries: Vec::new(),
        }
    }

    /// Puts `setup` in force in the kernel and copies it to the host. Hits start at zero.
    pub fn set(&mut self, setup: &Setup) -> anyhow::Result<()> {
        self.choose(constants(setup)?)?;
        self.program = program(setup)?;
        self.entries = entries(&setup.rules)?;
        let ids: Vec<u32> = self.entries.iter().map(|entry| entry.id).collect();
        let filter = &mut self.filters[self.current].1;
        filter.maps.swap(&self.entries, &ids, 0x5eed)?;
        filter.maps.set_never_block(&never(&setup.never)?)?;
        filter.report_everything(setup.monitor)?;
        filter.maps.set_interface(LOOPBACK, interface_of(setup)?)?;
        self.host = Host::of(filter.maps.snapshot()?, &self.entries, setup)?;
        Ok(())
    }

    fn choose(&mut self, wanted: Constants) -> anyhow::Result<()> {
        let found = self.filters.iter().position(|(has, _)| *has == wanted);
        self.current = match found {
            Some(index) => index,
            None => {
                self.filters.push((wanted, load(&wanted)?));
                self.filters.len() - 1
            }
        };
        Ok(())
    }

    /// The filter that [`Self::set`] chose.
    pub fn filter(&mut self) -> &mut Filter {
        &mut self.filters[self.current].1
    }

    /// What the loaded program does with a frame.
    pub fn program(&mut self, frame: &[u8]) -> anyhow::Result<Answer> {
        Ok(self.program_in_full(frame)?.0)
    }

    /// And which direction it counts it under.
    pub fn program_in_full(&mut self, frame: &[u8]) -> anyhow::Result<(Answer, &'static str)> {
        let program = self.program;
        let judged = self.filter().judge(program, frame)?;
        self.host.answer(judged)
    }

    /// As [`Self::program_in_full`], but nothing is counted.
    pub fn probe(&mut self, frame: &[u8]) -> anyhow::Result<(Answer, &'static str)> {
        let program = self.program;
        let judged = self.filter().probe(program, frame)?;
        self.host.answer(judged)
    }

    /// What the same code does with it on the host.
    pub fn host(&self, frame: &[u8]) -> anyhow::Result<Answer> {
        Ok(self.host.judge(frame)?.0)
    }

    /// And which direction it finds.
    pub fn host_in_full(&self, frame: &[u8]) -> anyhow::Result<(Answer, &'static str)> {
        self.host.judge(frame)
    }

    /// All counters so far.
    pub fn counts(&self) -> Directed {
        directed(&self.filters[self.current].1.maps)
    }

    /// Hits of every indicator since [`Self::set`].
    pub fn hits(&self) -> BTreeMap<String, u64> {
        let ids = self.entries.iter().map(|entry| entry.id);
        let hits = self.filters[self.current].1.maps.hits(ids).expect("hits");
        self.host.names.iter().cloned().zip(hits).collect()
    }
}

fn load(constants: &Constants) -> anyhow::Result<Filter> {
    let wanted = Load {
        capacity: SMALL,
        constants: *constants,
    };
    let mut filter = Filter::load_private(Path::new(BPFFS), wanted)?;
    filter.report_everything(false)?;
    Ok(filter)
}
