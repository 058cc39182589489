//! The map that holds the compiled rule set: read, replaced as a whole, changed in place.

use std::{
    os::fd::{AsFd as _, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use aya::maps::MapData;
use trickblock_common::table::{
    Geometry, Room,
    layout::{
        CONSTANTS, COVERED, ENTRIES, GENERATION, IDENTITY, MAGIC, MARKED, PREAMBLE, REVISION,
    },
};

use super::{
    FilterError,
    pages::Pages,
    sys::{self, Mapping},
};
use crate::table::{Cells, Change, Cleared, Constants, Entry, apply, compile, dump, takes};

/// Changes up to which single pages are mapped, not the whole half.
const FEW: usize = 64;
/// How often, and after which time, a half is looked at again that is being changed.
const ATTEMPTS: usize = 50;
const PAUSE: Duration = Duration::from_millis(2);

pub(super) struct Table {
    data: MapData,
    pub(super) geometry: Geometry,
    /// By this process: what another one left may have been cut short, and may have a seed that is known.
    compiled: AtomicBool,
}

impl Table {
    pub(super) fn new(data: MapData) -> Result<Self, FilterError> {
        let geometry = geometry(&data)?;
        Ok(Self {
            data,
            geometry,
            compiled: AtomicBool::new(false),
        })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.data.fd().as_fd()
    }

    fn map(&self, from: u64, words: u64) -> Result<Mapping, FilterError> {
        Mapping::new(self.fd(), from, words).map_err(FilterError::io("map", "TABLE"))
    }

    fn preamble(&self) -> Result<Mapping, FilterError> {
        self.map(0, PREAMBLE)
    }

    fn half(&self, generation: u64) -> Result<Mapping, FilterError> {
        self.map(self.geometry.half_at(generation), self.geometry.half)
    }

    /// The number of swaps so far.
    pub(super) fn generation(&self) -> Result<u64, FilterError> {
        Ok(self.preamble()?.load(GENERATION))
    }

    /// Changes with every change in place; odd during one.
    pub(super) fn revision(&self) -> Result<u64, FilterError> {
        Ok(self.preamble()?.load(REVISION))
    }

    /// A copy of the live half, of one time.
    pub(super) fn copy(&self) -> Result<Vec<u64>, FilterError> {
        let preamble = self.preamble()?;
        let time = || (preamble.load(GENERATION), preamble.load(REVISION));
        for _ in 0..ATTEMPTS {
            let before = time();
            if before.1 % 2 == 0 {
                let copy = self.half(before.0)?.to_vec();
                if time() == before {
                    return Ok(copy);
                }
            }
            std::thread::sleep(PAUSE);
        }
        // Whoever changed it died on the way, or never stops: it is as good as it gets.
        Ok(self.half(preamble.load(GENERATION))?.to_vec())
    }

    /// The entries in force, sorted.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, FilterError> {
        // A table that was just made is large, and looked through by every start.
        if self.generation()? == 0 && self.revision()? == 0 {
            return Ok(Vec::new());
        }
        Ok(dump(&self.copy()?, &self.geometry))
    }

    /// Table entries in use.
    pub(super) fn used(&self) -> Result<Room, FilterError> {
        let at = self.geometry.half_at(self.generation()?);
        let head = self.map(at, PREAMBLE)?;
        Ok(Room {
            hosts: head.load(ENTRIES),
            v4: head.load(ENTRIES + 1),
            v6: head.load(ENTRIES + 2),
            covered: head.load(COVERED),
            marks: head.load(MARKED),
        })
    }

    /// Writes down what the program was loaded with, for whoever opens the pins later.
    pub(super) fn note_constants(&self, constants: &Constants) -> Result<(), FilterError> {
        let preamble = self.preamble()?;
        for (index, word) in (CONSTANTS..).zip(constants.to_words()) {
            preamble.store(index, word);
        }
        Ok(())
    }

    pub(super) fn constants(&self) -> Result<Constants, FilterError> {
        let preamble = self.preamble()?;
        let mut words = [0; Constants::WORDS];
        for (index, word) in (CONSTANTS..).zip(&mut words) {
            *word = preamble.load(index);
        }
        Ok(Constants::from_words(&words))
    }

    /// Builds `entries` in the idle half, and flips after `ready`. Returns the new generation after a grace period.
    pub(super) fn swap(
        &self,
        entries: &[Entry],
        seed: u64,
        ready: impl FnOnce() -> Result<(), FilterError>,
    ) -> Result<u64, FilterError> {
        let preamble = self.preamble()?;
        let next = preamble.load(GENERATION) + 1;
        let mut idle = self.half(next)?;
        compile(entries, seed, &self.geometry, idle.words_mut())?;
        ready()?;
        preamble.store(GENERATION, next);
        let revision = preamble.load(REVISION);
        // Whoever left it odd was cut short, and what it changed is not in force any more.
        preamble.store(REVISION, revision + revision % 2);
        self.compiled.store(true, Ordering::Relaxed);
        grace();
        Ok(next)
    }

    /// Whether somebody was cut short while it changed the live half.
    pub(super) fn is_half_changed(&self) -> Result<bool, FilterError> {
        Ok(self.revision()? % 2 == 1)
    }

    /// Whether these changes are made in place, not by a compilation.
    pub(super) fn takes(&self, changes: &[Change<'_>]) -> Result<bool, FilterError> {
        if !self.compiled.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let at = self.geometry.half_at(self.generation()?);
        Ok(takes(changes, &self.map(at, PREAMBLE)?, &self.geometry))
    }

    /// Changes the live half in place. Nothing waits for what comes; what goes is out of reach at once, and this returns after
    /// the grace periods in which its slots become free, and so do the counters of what is `retired`.
    ///
    /// # Errors
    /// If it does not fit; a part of it may be in force then, and the set has to be swapped in as a whole.
    pub(super) fn apply(&self, changes: &[Change<'_>], retired: bool) -> Result<(), FilterError> {
        let preamble = self.preamble()?;
        let at = self.geometry.half_at(preamble.load(GENERATION));
        let revision = preamble.load(REVISION) & !1;
        preamble.store(REVISION, revision + 1);
        let done = if changes.len() <= FEW {
            let mut pages = Pages::new(self.fd(), "TABLE", at);
            let done = self.change(changes, &mut pages);
            pages.finish().and(done)
        } else {
            let mut half = self.map(at, self.geometry.half)?;
            self.change(changes, &mut half)
        };
        preamble.store(REVISION, revision + 2);
        // Until the next compilation a failure leaves what nobody asked for.
        self.compiled.store(done.is_ok(), Ordering::Relaxed);
        let cleared = done?;
        if !cleared.is_empty() {
            return self.wipe(at, cleared);
        }
        if retired {
            grace();
        }
        Ok(())
    }

    fn change(
        &self,
        changes: &[Change<'_>],
        cells: &mut impl Cells,
    ) -> Result<Cleared, FilterError> {
        Ok(apply(changes, cells, &self.geometry)?)
    }

    fn wipe(&self, at: u64, cleared: Cleared) -> Result<(), FilterError> {
        grace();
        if cleared.len() <= FEW {
            let mut pages = Pages::new(self.fd(), "TABLE", at);
            cleared.wipe(&mut pages);
            pages.finish()?;
        } else {
            cleared.wipe(&mut self.map(at, self.geometry.half)?);
        }
        grace();
        Ok(())
    }
}

/// What is new is in force already, so an error is no failure; no packet takes a second.
fn grace() {
    if sys::grace_period().is_err() {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Reads and checks what the table says of itself.
fn geometry(table: &MapData) -> Result<Geometry, FilterError> {
    let damaged = || FilterError::Map {
        map: "TABLE",
        reason: "its header is damaged".to_owned(),
    };
    let info = table.info().map_err(FilterError::map("TABLE"))?;
    let bytes = u64::from(info.value_size());
    if bytes < PREAMBLE * 8 {
        return Err(damaged());
    }
    let preamble =
        Mapping::new(table.fd().as_fd(), 0, PREAMBLE).map_err(FilterError::io("map", "TABLE"))?;
    let mut fields = Geometry::EMPTY.to_words();
    for (index, field) in (IDENTITY + 1..).zip(&mut fields) {
        *field = preamble.load(index);
    }
    let geometry = Geometry::from_words(fields).filter(|_| preamble.load(IDENTITY) == MAGIC);
    // The program would be bound to a value that does not hold what the header promises.
    geometry
        .filter(|geometry| geometry.words() * 8 == bytes)
        .ok_or_else(damaged)
}

/// Writes what the table says of itself.
pub(super) fn identify(table: BorrowedFd<'_>, geometry: &Geometry) -> Result<(), FilterError> {
    let preamble = Mapping::new(table, 0, PREAMBLE).map_err(FilterError::io("map", "TABLE"))?;
    for (index, field) in (IDENTITY + 1..).zip(geometry.to_words()) {
        preamble.store(index, field);
    }
    preamble.store(IDENTITY, MAGIC);
    Ok(())
}
