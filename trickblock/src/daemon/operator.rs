//! What the operator blocks and allows by hand: in force at once, kept over restarts, with who, when and why.

mod told;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::told::{Overview, Told};
use crate::{
    feed::Row,
    indicator::{Indicator, Seen, Sighting},
    policy::{Action, Authority, AuthorityKind, FeedRows, Label, Terms},
};

/// The name under which these rows are listed.
pub const LABEL: &str = "operator";
/// Its number among feeds: no feed's.
pub const FEED: u32 = u32::MAX;
/// Raised when the layout of the file changes.
const VERSION: u32 = 1;

/// Why an indicator is blocked, or a prefix allowed, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Unix seconds; `None` for no end.
    #[serde(with = "seconds")]
    pub until: Option<Seen>,
    pub reason: String,
    /// The user, as the kernel says: `uid 0`.
    pub by: String,
    /// When it was written.
    #[serde(with = "seconds")]
    pub at: Option<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    #[serde(with = "text")]
    pub indicator: Indicator,
    #[serde(default)]
    pub authority: Authority,
    #[serde(flatten)]
    pub note: Note,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allow {
    pub prefix: IpNet,
    #[serde(flatten)]
    pub note: Note,
}

/// Both lists, newest last, each entry once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lists {
    version: u32,
    pub blocks: Vec<Block>,
    pub allows: Vec<Allow>,
}

/// The lists, and the file that keeps them.
#[derive(Clone, Debug)]
pub struct Operator {
    path: PathBuf,
    pub lists: Lists,
    /// For merging: one list for each authority.
    rows: Vec<(Label, Vec<Row>)>,
}

/// The file cannot be used. Nothing is blocked or changed before it is mended: what the operator allows would be cut.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error(
        "the operator's list {path}: cannot {op} ({source}): check the permissions and the free space of the state directory"
    )]
    Io {
        op: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "the operator's list {path} is damaged ({reason}): mend it, or move it away and allow and block anew"
    )]
    Damaged { path: PathBuf, reason: String },
}

impl Operator {
    /// Reads the lists below the state directory; none where there is no file.
    pub fn load(state: &Path) -> Result<Self, OperatorError> {
        let path = state.join("operator.json");
        let damaged = |reason: String| OperatorError::Damaged {
            path: path.clone(),
            reason,
        };
        let lists = match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?
            }
            // Where the state directory is none, nothing was ever kept.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Lists {
                    version: VERSION,
                    ..Lists::default()
                }
            }
            Err(source) => {
                return Err(OperatorError::Io {
                    op: "be read",
                    path,
                    source,
                });
            }
        };
        if lists.version != VERSION {
            return Err(damaged(format!("version {}", lists.version)));
        }
        Ok(Self::new(path, lists))
    }

    fn new(path: PathBuf, lists: Lists) -> Self {
        let rows = rows(&lists.blocks);
        Self { path, lists, rows }
    }

    /// With `lists` in place of what it has, on disk already. After a crash either the old lists are there or the new.
    pub fn replaced(&self, mut lists: Lists) -> Result<Self, OperatorError> {
        lists.version = VERSION;
        let text = serde_json::to_vec_pretty(&lists)
            .map_err(io::Error::from)
            .and_then(|text| write(&self.path, &text));
        text.map_err(|source| OperatorError::Io {
            op: "be written",
            path: self.path.clone(),
            source,
        })?;
        Ok(Self::new(self.path.clone(), lists))
    }

    /// For merging.
    pub fn rows(&self) -> impl Iterator<Item = FeedRows<'_>> {
        self.rows.iter().map(|(label, rows)| FeedRows {
            label: label.clone(),
            rows,
        })
    }

    /// Prefixes that are allowed at `now`.
    pub fn allowed(&self, now: Seen) -> Vec<IpNet> {
        let allows = self.lists.allows.iter();
        allows
            .filter(|allow| allow.note.lives(now))
            .map(|allow| allow.prefix)
            .collect()
    }

    /// When the next allowance ends after `now`.
    pub fn next_allow_end(&self, now: Seen) -> Option<Seen> {
        let ends = self
            .lists
            .allows
            .iter()
            .filter_map(|allow| allow.note.until);
        ends.filter(|end| *end > now).min()
    }
}

impl Note {
    pub fn lives(&self, now: Seen) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

impl Lists {
    /// Without what has ended.
    pub fn living(&self, now: Seen) -> Self {
        let mut lists = self.clone();
        lists.blocks.retain(|block| block.note.lives(now));
        lists.allows.retain(|allow| allow.note.lives(now));
        lists
    }
}

fn rows(blocks: &[Block]) -> Vec<(Label, Vec<Row>)> {
    let mut lists: Vec<(Label, Vec<Row>)> = Vec::new();
    for (line, block) in (1..).zip(blocks) {
        let row = Row {
            line,
            indicator: block.indicator,
            sighting: Sighting {
                first_seen: block.note.at,
                expires: block.note.until,
                ..Sighting::default()
            },
        };
        let known = lists
            .iter_mut()
            .find(|(label, _)| label.terms.authority == block.authority);
        match known {
            Some((_, rows)) => rows.push(row),
            None => lists.push((label(&block.authority), vec![row])),
        }
    }
    lists
}

fn label(authority: &Authority) -> Label {
    let terms = Terms {
        authority: authority.clone(),
        // Who writes a prefix by hand means it.
        wide: true,
        ..Terms::of(Action::Drop)
    };
    Label {
        // What is meant by hand drops by itself, and confirms nothing that a feed says.
        voice: None,
        ..Label::new(LABEL, FEED, terms)
    }
}

/// Replaces the file, and waits until that is on disk.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o640)
        .open(&temporary)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(directory)?.sync_all()
}

/// What a local block says when nothing else is said.
pub fn local() -> Authority {
    Authority {
        kind: AuthorityKind::Local,
        ..Authority::default()
    }
}

/// Indicators as they are displayed.
mod text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::indicator::Indicator;

    pub fn serialize<S: Serializer>(indicator: &Indicator, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(indicator)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Indicator, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Times as seconds since 1970.
mod seconds {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::indicator::Seen;

    pub fn serialize<S: Serializer>(seen: &Option<Seen>, to: S) -> Result<S::Ok, S::Error> {
        seen.map(Seen::unix).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Seen>, D::Error> {
        let seconds = Option::<i64>::deserialize(from)?;
        Ok(seconds.and_then(Seen::from_unix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str, until: i64) -> Block {
        Block {
            indicator: text.parse().expect("an indicator"),
            authority: local(),
            note: note(until),
        }
    }

    fn note(until: i64) -> Note {
        Note {
            until: Seen::from_unix(until),
            reason: "seen in a log".to_owned(),
            by: "uid 0".to_owned(),
            at: Seen::from_unix(1_000),
        }
    }

    fn lists() -> Lists {
        Lists {
            version: VERSION,
            blocks: vec![block("192.0.2.1:443/tcp", 2_000), block("192.0.2.2", 0)],
            allows: vec![Allow {
                prefix: "198.51.100.0/24".parse().expect("a prefix"),
                note: note(3_000),
            }],
        }
    }

    #[test]
    fn lists_survive_the_disk() {
        let state = tempfile::tempdir().expect("a directory");
        let empty = Operator::load(state.path()).expect("no file is an empty list");
        assert_eq!(empty.lists.blocks, []);
        let stored = empty.replaced(lists()).expect("written");
        let read = Operator::load(state.path()).expect("read back");
        assert_eq!(read.lists, stored.lists);
        assert_eq!(read.lists, lists());
        assert_eq!(read.rows().count(), 1, "one authority, one list");
    }

    #[test]
    fn a_damaged_file_is_an_error_and_stays_as_it_is() {
        let state = tempfile::tempdir().expect("a directory");
        let path = state.path().join("operator.json");
        for text in ["", "{", "{\"version\":2,\"blocks\":[],\"allows\":[]}"] {
            fs::write(&path, text).expect("written");
            let error = Operator::load(state.path()).expect_err(text).to_string();
            assert!(error.contains("mend it"), "{error}");
            assert_eq!(fs::read_to_string(&path).expect("read"), text);
        }
    }

    #[test]
    fn ends_are_exact() {
        let at = |seconds| Seen::from_unix(seconds).expect("a time");
        assert_eq!(lists().living(at(1_999)).blocks.len(), 2);
        assert_eq!(lists().living(at(2_000)).blocks.len(), 1, "no end stays");
        let operator = Operator::new(PathBuf::new(), lists());
        assert_eq!(operator.allowed(at(2_999)).len(), 1);
        assert_eq!(operator.allowed(at(3_000)).len(), 0);
        assert_eq!(operator.next_allow_end(at(2_999)), Some(at(3_000)));
        assert_eq!(operator.next_allow_end(at(3_000)), None);
    }
}
