//! IP rules of Suricata and Snort.

use crate::feed::{NotAFeed, collect::Collector};

/// What in a line shows that the body is one of these; `None` if nothing does.
pub(in crate::feed) fn shown_by(_line: &str) -> Option<&'static str> {
    None
}

/// Reads the whole body.
pub(super) fn read(_text: &str, _out: &mut Collector) -> Result<(), NotAFeed> {
    todo!()
}
