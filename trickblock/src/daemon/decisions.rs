//! What became of the bodies of a feed, by the operator's word or by a trial: neither a restart nor a reload may ask
//! again, or take what was rejected.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    feed::{
        Row,
        cache::{Cache, CacheError, Digest, digest, hex},
    },
    policy::Harm,
};

/// Beside the last good copy.
const FILE: &str = "decisions";
/// Decisions that are kept of each feed, the newest.
const MOST: usize = 64;

/// What became of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Approved,
    Rejected,
    /// Its trial found harm.
    Failed(Harm),
    /// It waits for the operator.
    Held,
}

/// A word on one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub digest: Digest,
    pub word: Word,
    pub at: Timestamp,
}

/// Of one feed, oldest first, each body once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions(Vec<Decision>);

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    digest: String,
    word: String,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    harm: Option<LineHarm>,
}

#[derive(Serialize, Deserialize)]
struct LineHarm {
    indicator: String,
    packets: Option<u64>,
    others: usize,
}

impl Decisions {
    /// About the feed `name`; none where there is no file. What can be read of a damaged one counts, and the damage is
    /// told.
    pub fn load(cache: &Cache, name: &str) -> (Self, Option<CacheError>) {
        let text = match cache.read_beside(name, FILE) {
            Ok(text) => text.unwrap_or_default(),
            Err(error) => return (Self::default(), Some(error)),
        };
        let all: Vec<Decision> = text.lines().filter_map(decision).collect();
        let lost = all.len() < text.lines().count();
        let error = lost.then(|| CacheError::Lines {
            path: cache.beside(name, FILE),
        });
        (Self(all), error)
    }

    /// Replaces what is on disk.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, cache: &Cache, name: &str) -> Result<(), CacheError> {
        cache.write_beside(name, FILE, |to| {
            for decision in &self.0 {
                serde_json::to_writer(&mut *to, &line(decision))?;
                to.write_all(b"\n")?;
            }
            Ok(())
        })
    }

    pub fn of(&self, digest: &Digest) -> Option<&Decision> {
        self.0.iter().find(|known| known.digest == *digest)
    }

    pub fn word(&self, digest: &Digest) -> Option<Word> {
        self.of(digest).map(|known| known.word)
    }

    /// Whether a body whose checksum begins with these digits was rejected.
    pub fn has_rejected(&self, digits: &str) -> bool {
        let is_meant = |known: &&Decision| hex(&known.digest).starts_with(digits);
        let mut meant = self.0.iter().filter(is_meant);
        meant.any(|known| known.word == Word::Rejected)
    }

    /// Whether the operator has not decided about a body that was held.
    pub fn waits(&self, digest: &Digest) -> bool {
        matches!(self.word(digest), Some(Word::Held | Word::Failed(_)))
    }

    /// The harm that an indicator among these did in a trial: another line of the same list is no reason to try it again.
    pub fn failed_with(&self, rows: &[Row]) -> Option<Harm> {
        let mut failed = self.0.iter().filter_map(|known| match known.word {
            Word::Failed(harm) => Some(harm),
            _ => None,
        });
        let is_there = |harm: &Harm| rows.iter().any(|row| row.indicator == harm.indicator);
        failed.find(is_there)
    }

    /// With a newer word on a body. Of those that wait only the last is remembered: a list that changes with every
    /// fetch must not push the operator's words out.
    pub fn with(&self, digest: Digest, word: Word, at: Timestamp) -> Self {
        let outdated = |known: &Decision| {
            known.digest == digest || (word == Word::Held && known.word == Word::Held)
        };
        let others = self.0.iter().filter(|known| !outdated(known)).copied();
        let mut all: Vec<Decision> = others.collect();
        all.push(Decision { digest, word, at });
        all.drain(..all.len().saturating_sub(MOST));
        Self(all)
    }
}

fn line(decision: &Decision) -> Line {
    let harm = match decision.word {
        Word::Failed(harm) => Some(harm),
        _ => None,
    };
    let word = match decision.word {
        Word::Approved => "approved",
        Word::Rejected => "rejected",
        Word::Failed(_) => "failed",
        Word::Held => "held",
    };
    Line {
        digest: hex(&decision.digest),
        word: word.to_owned(),
        at: decision.at,
        harm: harm.map(|harm| LineHarm {
            indicator: harm.indicator.to_string(),
            packets: harm.packets,
            others: harm.others,
        }),
    }
}

fn decision(text: &str) -> Option<Decision> {
    let line: Line = serde_json::from_str(text).ok()?;
    let word = match (line.word.as_str(), line.harm) {
        ("approved", None) => Word::Approved,
        ("rejected", None) => Word::Rejected,
        ("held", None) => Word::Held,
        ("failed", Some(harm)) => Word::Failed(Harm {
            indicator: harm.indicator.parse().ok()?,
            packets: harm.packets,
            others: harm.others,
        }),
        _ => return None,
    };
    Some(Decision {
        digest: digest(&line.digest)?,
        word,
        at: line.at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn harm() -> Harm {
        Harm {
            indicator: "192.0.2.1:443/tcp".parse().expect("an indicator"),
            packets: Some(7),
            others: 2,
        }
    }

    #[test]
    fn every_word_survives_a_restart() {
        let state = tempfile::tempdir().expect("a directory");
        let cache = Cache::new(state.path());
        let (none, error) = Decisions::load(&cache, "a");
        assert!(none == Decisions::default() && error.is_none(), "no file");
        let words = [
            Word::Approved,
            Word::Rejected,
            Word::Failed(harm()),
            Word::Held,
        ];
        let all = (0_u8..).zip(words).fold(none, |all, (n, word)| {
            all.with([n; 32], word, Timestamp::UNIX_EPOCH)
        });
        all.keep(&cache, "a").expect("written");
        let (read, error) = Decisions::load(&cache, "a");
        assert!(read == all && error.is_none());
        for (n, word) in (0_u8..).zip(words) {
            assert_eq!(read.word(&[n; 32]), Some(word));
        }
        assert_eq!(read.word(&[9; 32]), None);
        let path = state.path().join("feeds/a").join(FILE);
        let text = std::fs::read_to_string(&path).expect("a file");
        std::fs::write(&path, text.get(..text.len() - 10).expect("a part")).expect("written");
        let (read, error) = Decisions::load(&cache, "a");
        assert_eq!(read.0, all.0[..3], "what can be read counts");
        assert!(error.is_some());
    }

    #[test]
    fn the_last_word_on_a_body_counts_and_updates_that_wait_push_nothing_out() {
        let now = Timestamp::UNIX_EPOCH;
        let mut all = Decisions::default().with([0; 32], Word::Rejected, now);
        for n in 1..=200 {
            all = all.with([n; 32], Word::Held, now);
        }
        assert_eq!(all.word(&[0; 32]), Some(Word::Rejected));
        assert_eq!(all.word(&[199; 32]), None);
        assert_eq!(all.word(&[200; 32]), Some(Word::Held));
        let all = all.with([0; 32], Word::Approved, now);
        assert_eq!(all.word(&[0; 32]), Some(Word::Approved));
    }

    #[test]
    fn only_the_newest_are_kept() {
        let now = Timestamp::UNIX_EPOCH;
        let all = (0..=64).fold(Decisions::default(), |all, n| {
            all.with([n; 32], Word::Rejected, now)
        });
        assert_eq!(all.word(&[0; 32]), None);
        assert_eq!(all.word(&[1; 32]), Some(Word::Rejected));
        assert_eq!(all.word(&[64; 32]), Some(Word::Rejected));
    }
}
