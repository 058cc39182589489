//! The body that waits for a decision: what is approved must survive a restart, whatever its server says by then.

use std::fs;

use jiff::Timestamp;

use super::{
    Cache, CacheError, Digest, Stored, create_directory, directory_name, layout::write_synced,
    read_copy,
};

/// Beside the last good copy.
const FILE: &str = "waiting";

impl Cache {
    /// Keeps the body of the feed `name` that waits, in place of the one before.
    ///
    /// # Errors
    /// If it cannot be written: once approved it has to be fetched again.
    pub fn keep_waiting(&self, name: &str, stored: &Stored) -> Result<(), CacheError> {
        let path = self.beside(name, FILE);
        create_directory(&self.root.join(directory_name(name)))?;
        let temporary = path.with_extension("new");
        let written = write_synced(&temporary, stored).and_then(|()| fs::rename(&temporary, &path));
        written.map_err(|source| CacheError::Io {
            op: "write",
            path,
            source,
        })
    }

    /// The body that waits; one that cannot be read is none.
    pub fn waiting(&self, name: &str) -> Option<Stored> {
        let read = read_copy(&self.beside(name, FILE)).ok()??;
        Some(read.0)
    }

    /// Makes the body that waits the last good copy, if it is this one; read as `format`, without the parts called
    /// `unread`. False where another one waits, or none.
    ///
    /// # Errors
    /// If it is damaged, or the copy cannot be written.
    pub fn promote(
        &self,
        name: &str,
        digest: &Digest,
        (format, unread): (Option<String>, &[String]),
    ) -> Result<bool, CacheError> {
        let path = self.beside(name, FILE);
        let waiting = read_copy(&path)?.map(|(stored, _)| stored);
        let Some(mut stored) = waiting.filter(|stored| stored.body.digest() == *digest) else {
            return Ok(false);
        };
        stored.format = format;
        stored.fetched_at = Timestamp::now();
        if !unread.is_empty() {
            stored = self.with_last_good(name, stored, unread);
        }
        self.store(name, &stored)?;
        // What is left behind is no harm: it waits for nothing.
        fs::remove_file(path).ok();
        Ok(true)
    }
}
