//! ThreatFox's API answer, JSON export and CSV export.

use crate::feed::{NotAFeed, collect::Collector};

/// What in the beginning of a body shows that it is one of these; `None` if nothing does.
pub(in crate::feed) fn json_shown_by(_head: &str) -> Option<&'static str> {
    None
}

/// As [`json_shown_by`], for the text form: asked line by line.
pub(in crate::feed) fn line_shown_by(_line: &str) -> Option<&'static str> {
    None
}

/// Reads the whole body.
pub(super) fn read_json(_text: &str, _out: &mut Collector) -> Result<(), NotAFeed> {
    todo!()
}

/// Reads the whole body.
pub(super) fn read_csv(_text: &str, _out: &mut Collector) -> Result<(), NotAFeed> {
    todo!()
}
