//! What a reader and its parent say to each other, numbers in little-endian order.
//!
//! ```text
//! request = "TBQ1" u32 length, options as JSON, u64 length, body
//! answer  = "TBA1" u8 missing, rows as they are found (u32 count, rows) … 0, u8 kind, content of the kind, "TBE1"
//! ```
//!
//! A parsed body is its format, counts, withdrawn indicators, rejections and warnings, and the rows before it. A row is two
//! bytes that say what it has, its line, and what it has. The name of a family is sent once and numbered.

mod buffer;
pub(super) mod decode;
pub(super) mod encode;
pub(super) mod request;

const REQUEST: [u8; 4] = *b"TBQ1";
const ANSWER: [u8; 4] = *b"TBA1";
/// The end of an answer, so that one that is cut short is not taken for whole.
const END: [u8; 4] = *b"TBE1";

/// Characters of a reason, a warning, and what else is said of a body. A reader cuts what is longer.
const MAX_REASON: usize = 500;

/// What a row has. Bits that stand for nothing are refused.
mod has {
    pub(super) const V6: u16 = 1;
    pub(super) const PROTOCOL: u16 = 1 << 1;
    pub(super) const PORT: u16 = 1 << 2;
    pub(super) const FAMILY: u16 = 1 << 3;
    pub(super) const FIRST_SEEN: u16 = 1 << 4;
    pub(super) const LAST_SEEN: u16 = 1 << 5;
    pub(super) const EXPIRES: u16 = 1 << 6;
    pub(super) const CONFIDENCE: u16 = 1 << 7;
    pub(super) const OFFLINE: u16 = 1 << 8;
    pub(super) const ONLINE: u16 = 1 << 9;
    pub(super) const INDICATOR: u16 = V6 | PROTOCOL | PORT;
    pub(super) const ALL: u16 = (1 << 10) - 1;
}

/// The number of a family that is not numbered: its name follows, and is not kept for others.
const UNNUMBERED: u16 = u16::MAX;

/// What an answer says.
mod kind {
    pub(super) const PARSED: u8 = 0;
    pub(super) const EMPTY: u8 = 1;
    pub(super) const HTML: u8 = 2;
    pub(super) const COMPRESSED: u8 = 3;
    pub(super) const BINARY: u8 = 4;
    pub(super) const UNRECOGNISED: u8 = 5;
    pub(super) const NO_ENTRIES: u8 = 6;
    pub(super) const MISMATCH: u8 = 7;
    pub(super) const STATUS: u8 = 10;
    pub(super) const TOO_MANY: u8 = 8;
    pub(super) const MOSTLY_MALFORMED: u8 = 9;
}

#[cfg(test)]
mod tests;
