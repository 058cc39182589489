//! STIX 2.0 and 2.1 bundles, and TAXII envelopes.

use crate::feed::{NotAFeed, collect::Collector};

/// What in the beginning of a body shows that it is one of these; `None` if nothing does.
pub(in crate::feed) fn shown_by(_head: &str) -> Option<&'static str> {
    None
}

/// Reads the whole body.
pub(super) fn read(_text: &str, _out: &mut Collector) -> Result<(), NotAFeed> {
    todo!()
}
