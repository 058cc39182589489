//! The event ring.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
};

use aya::maps::{MapData, RingBuf};
use tokio::io::unix::AsyncFd;
use trickblock_common::abi::Event;

use super::{FilterError, Pins, sys};

/// What the clock that stamps events shows now, in nanoseconds.
pub fn event_clock() -> io::Result<u64> {
    sys::monotonic()
}

/// Reads events in the order in which they happened. Only one reader may exist per filter.
pub struct Events(RingBuf<MapData>);

impl Events {
    pub(super) fn new(map: aya::maps::Map) -> Result<Self, FilterError> {
        RingBuf::try_from(map)
            .map(Self)
            .map_err(FilterError::map("EVENTS"))
    }

    /// Opens the ring of a pinned filter.
    pub fn open(pins: &Pins) -> Result<Self, FilterError> {
        let data = MapData::from_pin(pins.map("EVENTS")).map_err(FilterError::map("EVENTS"))?;
        Self::new(aya::maps::Map::from_map_data(data).map_err(FilterError::map("EVENTS"))?)
    }

    /// For waiting in an event loop. Must be called inside a tokio runtime with I/O.
    pub fn watched(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the ring owns its descriptor and hands out the same one until it is dropped.
        unsafe { AsyncFd::register(self) }.map_err(io::Error::from)
    }

    /// The next event, `None` where none waits.
    pub fn pop(&mut self) -> Option<Event> {
        loop {
            let item = self.0.next()?;
            if item.len() >= size_of::<Event>() {
                // SAFETY: the program writes whole events, plain integers without invalid values.
                return Some(unsafe { item.as_ptr().cast::<Event>().read_unaligned() });
            }
        }
    }
}

impl AsRawFd for Events {
    /// Becomes readable when events wait.
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
