//! How a body is to be read.

use serde::{Deserialize, Serialize};

use super::{Format, csv_layout::CsvLayout};
use crate::indicator::Seen;

/// What the reader of a body has to know besides the body.
/// Serialised where the reader is another process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// `None` detects it.
    pub format: Option<Format>,
    /// Where [`Format::Csv`] has its columns; `None` finds them by their usual names.
    pub csv: Option<CsvLayout>,
    /// What its makers have not published counts too: somebody named the file.
    pub unpublished: bool,
    /// When the body was had: spans of time in it begin then. `None` leaves them out.
    pub received: Option<Seen>,
}

impl From<Option<Format>> for Options {
    fn from(format: Option<Format>) -> Self {
        Self {
            format,
            ..Self::default()
        }
    }
}
