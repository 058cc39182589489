//! Map values that the XDP program and user space exchange. All little in size, `repr(C)`, without
//! padding, and without types that have invalid bit patterns.

use crate::{Direction, Reason, Side};

/// Part of the pin path. Raised whenever a layout here or in [`crate::table`] changes, so that a new
/// daemon never misreads the maps of an old one.
pub const ABI_VERSION: u32 = 7;

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

/// Packets and bytes (of the whole frame) with one reason, side and direction.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    pub packets: u64,
    pub bytes: u64,
}

/// Entries of the counter map, see [`counter`].
pub const COUNTERS: u32 = (Reason::COUNT * Side::ALL.len() * Direction::ALL.len()) as u32;

/// Index in the counter map, from the numbers of a [`Reason`], a [`Side`] and a [`Direction`].
#[inline(always)]
pub const fn counter(reason: u8, side: u8, direction: u8) -> u32 {
    let by_side = reason as u32 * Side::ALL.len() as u32 + side as u32;
    by_side * Direction::ALL.len() as u32 + direction as u32
}

/// What is known of an interface; read for packets that are no plain miss.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// One of [`role`].
    pub role: u32,
    /// Bits of [`interface`].
    pub flags: u32,
}

/// Interfaces that the interface map has room for.
pub const INTERFACES: u32 = 1024;

/// Which side of the network an interface faces.
pub mod role {
    pub const UNKNOWN: u32 = 0;
    pub const INSIDE: u32 = 1;
    pub const UPLINK: u32 = 2;
}

/// Flags of an interface.
pub mod interface {
    /// Malformed packets are dropped.
    pub const CLOSED: u32 = 1;
    /// What arrives here was counted when it arrived, and is not again when it leaves elsewhere.
    pub const INGRESS: u32 = 2;
}

/// Kinds of tunnels that can be looked into: bits of the load-time constant `TUNNELS`.
pub mod tunnel {
    /// IPv4 or IPv6 directly inside of IPv4 or IPv6.
    pub const IP: u64 = 1;
    pub const GRE: u64 = 2;
    pub const VXLAN: u64 = 4;
    pub const GENEVE: u64 = 8;
    pub const GTPU: u64 = 16;
    pub const OVER_UDP: u64 = VXLAN | GENEVE | GTPU;
    pub const ALL: u64 = IP | GRE | OVER_UDP;
}

/// A probe is a packet that asks the running filter for its verdict: it is judged like any other, but not
/// counted and not reported. To XDP it shows this number as metadata in front of the frame: no driver puts
/// any there that a program did not ask for.
pub const PROBE_MAGIC: u64 = 0x7472_6963_6b62_6c6b;
/// To TC it comes from this interface: real indices are positive `i32`.
pub const PROBE_INTERFACE: u32 = u32::MAX;
/// Words of the probe map: the outcome of the last probe, with its direction from bit [`PROBE_DIRECTION`] on,
/// and the number of probes.
pub const PROBE_DIRECTION: u64 = 56;
pub const PROBE_OUTCOME: u32 = 0;
pub const PROBE_COUNT: u32 = 1;
pub const PROBE_WORDS: u32 = 2;

/// The rate limiter of one CPU, and the events that user space will never see. One value: whoever is
/// dropped by the million looks at one cache line.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// The kernel's tick in which `window` was looked up: until the next one the clock says the same.
    pub tick: u64,
    /// Boot time in units of 2³⁰ ns (1.07 s).
    pub window: u64,
    /// Events sent in it.
    pub used: u64,
    /// Events held back by the rate limit.
    pub limited: u64,
    /// Events for which the ring had no room.
    pub full: u64,
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
    /// Bytes of the whole frame.
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
    /// Number of the [`Direction`].
    pub direction: u8,
    /// Bits of [`event`].
    pub flags: u8,
    pub reserved: u16,
    /// Network byte order; IPv4 uses the first four bytes.
    pub source: [u8; 16],
    pub destination: [u8; 16],
}

/// Flags of an event.
pub mod event {
    /// Addresses and ports are those of the packet inside a tunnel.
    pub const INNER: u8 = 1;
    /// Seen on the way out of the interface.
    pub const EGRESS: u8 = 2;
}

const _: () = assert!(size_of::<Interface>() == 8);
const _: () = assert!(size_of::<Settings>() == 16);
const _: () = assert!(size_of::<Counter>() == 16);
const _: () = assert!(size_of::<Budget>() == 40);
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
    /// Of a /16 in the summary: prefixes inside of it have a say.
    pub const CLOSER: u32 = 3;
}

/// Words of the summary of the never-block list: two bits for every IPv4 /16, one of [`protection`].
pub const NEVER_WORDS: usize = (1 << 16) / 32;

/// Where the summary has the /16 of an address: word, and shift of the two bits in it.
#[inline(always)]
pub const fn never_16(address: u32) -> (usize, u32) {
    ((address >> 21) as usize, ((address >> 16) & 31) * 2)
}
