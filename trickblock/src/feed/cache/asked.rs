//! When a feed's server was asked last: a restart must not ask it again too soon.

use std::{fs, io};

use jiff::Timestamp;

use super::{Cache, CacheError, create_directory};

/// Beside the last good copy.
const FILE: &str = "asked";

impl Cache {
    /// When `origin` was asked for the feed `name`; none where it was not, or it cannot be read.
    pub fn asked(&self, name: &str, origin: &str) -> Option<Timestamp> {
        let text = self.read_beside(name, FILE).ok()??;
        let (at, of) = text.trim_end().split_once(' ')?;
        at.parse().ok().filter(|_| of == origin)
    }

    /// Notes that `origin` is asked at `at`. Losing the note in a crash asks once too soon, nothing worse.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note_asked(&self, name: &str, origin: &str, at: Timestamp) -> Result<(), CacheError> {
        let path = self.beside(name, FILE);
        path.parent().map_or(Ok(()), create_directory)?;
        let temporary = path.with_extension("new");
        let written = fs::write(&temporary, format!("{at} {origin}\n"))
            .and_then(|()| fs::rename(&temporary, &path));
        written.map_err(|source| CacheError::Io {
            op: "note when its server was asked beside the",
            path,
            source,
        })
    }

    /// It was not asked after all.
    ///
    /// # Errors
    /// If the note cannot be removed.
    pub fn forget_asked(&self, name: &str) -> Result<(), CacheError> {
        let path = self.beside(name, FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CacheError::Io {
                op: "forget when its server was asked beside the",
                path,
                source: error,
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_time_is_that_of_one_source() {
        let state = tempfile::tempdir().expect("a directory");
        let cache = Cache::new(state.path());
        assert_eq!(cache.asked("a", "http://x/"), None);
        for second in [1, 2] {
            let at = Timestamp::from_second(second).expect("a time");
            cache.note_asked("a", "http://x/", at).expect("written");
            assert_eq!(cache.asked("a", "http://x/"), Some(at));
        }
        assert_eq!(cache.asked("a", "http://y/"), None);
        assert_eq!(cache.asked("b", "http://x/"), None);
        fs::write(state.path().join("feeds/a/asked"), "soon http://x/").expect("written");
        assert_eq!(cache.asked("a", "http://x/"), None);
    }
}
