//! What the operator decided about a body: a restart must neither ask again nor take what was rejected.

use super::{Cache, CacheError, hex};

/// Beside the last good copy.
const FILE: &str = "decided";

/// SHA-256 of a body.
pub type Digest = [u8; 32];

/// The operator's word on one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Approved(Digest),
    Rejected(Digest),
}

impl Cache {
    /// The last decision about the feed `name`; none where there is none, or it cannot be read.
    pub fn decided(&self, name: &str) -> Option<Decision> {
        let text = self.read_beside(name, FILE).ok()??;
        let (word, digits) = text.trim_end().split_once(' ')?;
        let digest = digest(digits)?;
        match word {
            "approved" => Some(Decision::Approved(digest)),
            "rejected" => Some(Decision::Rejected(digest)),
            _ => None,
        }
    }

    /// Keeps a decision.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn decide(&self, name: &str, decision: Decision) -> Result<(), CacheError> {
        let (word, digest) = match decision {
            Decision::Approved(digest) => ("approved", digest),
            Decision::Rejected(digest) => ("rejected", digest),
        };
        self.write_beside(name, FILE, |to| writeln!(to, "{word} {}", hex(&digest)))
    }
}

fn digest(digits: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        let pair = digits.get(2 * index..2 * index + 2)?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_survive_a_restart() {
        let state = tempfile::tempdir().expect("a directory");
        let cache = Cache::new(state.path());
        assert_eq!(cache.decided("a"), None);
        for decision in [Decision::Approved([7; 32]), Decision::Rejected([0xfe; 32])] {
            cache.decide("a", decision).expect("written");
            assert_eq!(cache.decided("a"), Some(decision));
        }
        assert_eq!(cache.decided("b"), None);
        std::fs::write(state.path().join("feeds/a/decided"), "approved 12").expect("written");
        assert_eq!(cache.decided("a"), None);
    }
}
