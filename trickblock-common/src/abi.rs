//! Map values that the XDP program and user space exchange. All little in size, `repr(C)`, without
//! padding, and without types that have invalid bit patterns.

use crate::Reason;

/// Part of the pin path. Raised whenever a layout here or in [`crate::table`] changes, so that a new
/// daemon never misreads the maps of an old one.
pub const ABI_VERSION: u32 = 1;

/// Bytes of the event ring buffer.
pub const EVENT_RING_BYTES: u32 = 256 * 1024;

/// [`Event::indicator`] where no single indicator is meant.
pub const NO_INDICATOR: u32 = u32::MAX;

/// The switches that change while the program runs; read after a prefilter hit only.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// 1: nothing is dropped, hits are counted and reported.
    pub monitor: u32,
    /// Events per CPU and second; the rest is counted as lost.
    pub events_per_second: u32,
    /// Bit n: an event is emitted for [`Reason`] number n.
    pub event_reasons: u64,
}

/// Packets and bytes (of the linear part of the frame) with one reason and side.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    pub packets: u64,
    pub bytes: u64,
}

/// Entries of the counter map: index `reason * 3 + side`.
pub const COUNTERS: u32 = 3 * Reason::COUNT as u32;

/// Events that user space will never see, per CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Held back by the rate limit.
    pub limited: u64,
    /// The ring was full.
    pub full: u64,
}

/// The rate limiter of one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    /// Boot time in units of 2³⁰ ns (1.07 s).
    pub window: u64,
    /// Events sent in it.
    pub used: u64,
}

/// One judged packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds since boot, without suspend.
    pub time: u64,
    /// Id of the indicator, or [`NO_INDICATOR`].
    pub indicator: u32,
    pub interface: u32,
    /// Bytes of the frame's linear part.
    pub length: u32,
    /// Host byte order; 0 where unknown.
    pub source_port: u16,
    pub destination_port: u16,
    /// IP protocol number; 0 where unknown.
    pub protocol: u8,
    /// Number of the [`Reason`].
    pub reason: u8,
    /// Number of the [`crate::Side`].
    pub side: u8,
    /// 4, 6, or 0 where the packet has no addresses.
    pub version: u8,
    pub reserved: u32,
    /// Network byte order; IPv4 uses the first four bytes.
    pub source: [u8; 16],
    pub destination: [u8; 16],
}

const _: () = assert!(size_of::<Settings>() == 16);
const _: () = assert!(size_of::<Counter>() == 16);
const _: () = assert!(size_of::<Lost>() == 16);
const _: () = assert!(size_of::<Budget>() == 16);
const _: () = assert!(size_of::<Event>() == 64);
const _: () = assert!(Reason::COUNT <= 64, "event_reasons has 64 bits");

/// How an address is protected: the value of the never-block maps.
pub mod protection {
    /// Not protected.
    pub const NONE: u32 = 0;
    /// Of the operator's own network: only indicators with a port act on it.
    pub const OWN: u32 = 1;
    /// Nothing acts on it.
    pub const HARD: u32 = 2;
}
