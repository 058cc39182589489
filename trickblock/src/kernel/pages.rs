//! A mapped array of which only the pages are mapped that are asked for.

use std::{
    cell::RefCell,
    collections::{BTreeMap, btree_map::Entry},
    io,
    os::fd::BorrowedFd,
};

use trickblock_common::table::layout::PREAMBLE;

use super::{FilterError, sys::Mapping};
use crate::table::{Cells, Read};

/// Words of a page.
const PAGE: u64 = PREAMBLE;

/// For a few words of a large table: mapping all of it would take longer than changing them.
pub(super) struct Pages<'a> {
    map: BorrowedFd<'a>,
    name: &'static str,
    /// Word of the map that is word 0 here; begins a page.
    from: u64,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    pages: BTreeMap<u64, Mapping>,
    failed: Option<io::Error>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(map: BorrowedFd<'a>, name: &'static str, from: u64) -> Self {
        Self {
            map,
            name,
            from,
            state: RefCell::default(),
        }
    }

    /// # Errors
    /// If a page could not be mapped: what was to be read there was 0, and what was to be written is not.
    pub(super) fn finish(self) -> Result<(), FilterError> {
        match self.state.into_inner().failed {
            Some(error) => Err(FilterError::io("map a page of", self.name)(error)),
            None => Ok(()),
        }
    }

    fn with<T>(&self, index: usize, work: impl FnOnce(&Mapping, u64) -> T) -> Option<T> {
        let (page, word) = (index as u64 / PAGE, index as u64 % PAGE);
        let state = &mut *self.state.borrow_mut();
        if state.failed.is_some() {
            // What was read as 0 must not be written back.
            return None;
        }
        let mapping = match state.pages.entry(page) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => match Mapping::new(self.map, self.from + page * PAGE, PAGE) {
                Ok(mapping) => place.insert(mapping),
                Err(error) => {
                    state.failed = Some(error);
                    return None;
                }
            },
        };
        Some(work(mapping, word))
    }
}

impl Read for Pages<'_> {
    fn load(&self, index: usize) -> u64 {
        self.with(index, Mapping::load).unwrap_or(0)
    }
}

impl Cells for Pages<'_> {
    fn store(&mut self, index: usize, value: u64) {
        self.with(index, |page, word| page.store(word, value));
    }
}

impl Read for Mapping {
    #[inline]
    fn load(&self, index: usize) -> u64 {
        Self::load(self, index as u64)
    }
}

impl Cells for Mapping {
    #[inline]
    fn store(&mut self, index: usize, value: u64) {
        Self::store(self, index as u64, value);
    }
}
