//! Several files read as one set.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::files::{self, Found};
use crate::{
    config::{Config, FeedConfig},
    feed::{
        self, Format, NotAFeed, Options, Parsed,
        cache::{Cache, Stored},
        source::{FileSource, Location, SignedPath},
    },
    indicator::Seen,
    policy::{
        Action, Context, Covered, FeedRows, Guard, Kinds, Label, RuleSet, Terms, merge, voices,
    },
};

/// Everything that was read, in the order of the command line and sorted within directories.
#[derive(Default)]
pub(in crate::cli) struct Set {
    pub(in crate::cli) feeds: Vec<(Arc<str>, Parsed)>,
    /// The configured feeds, and the index in `feeds` behind the last file of each; empty without a
    /// configuration, and then any width is let through.
    configured: Vec<(FeedConfig, usize)>,
    /// How many of them were never fetched.
    unfetched: usize,
    /// Files that contribute nothing, with the reason: `FILE: why`.
    pub(in crate::cli) skipped: Vec<String>,
    /// Those of them that were given by name, which makes the whole check fail.
    pub(in crate::cli) failed: Vec<String>,
}

/// A feed that says nothing any more.
fn ended(feed: &FeedConfig) -> Option<String> {
    let until = feed.policy.terms.authority.ended(Seen::now())?;
    Some(format!(
        "feed {}: its `until`, {until}, has passed: nothing of it will be in force, renew it or take the feed out",
        feed.name
    ))
}

impl Set {
    pub(in crate::cli) fn read(paths: &[PathBuf], forced: Option<Format>) -> Self {
        let mut set = Self::default();
        // What somebody names counts, published or not.
        let options = Options {
            unpublished: true,
            ..forced.into()
        };
        paths.iter().for_each(|path| set.add_path(path, &options));
        set
    }

    /// The feeds of a configuration: files as they are now, and of those that are fetched the last
    /// good copy, since a check asks no server.
    pub(super) fn of_config(config: &Config) -> Self {
        let mut set = Self::default();
        let cache = Cache::new(&config.paths.state);
        for feed in &config.feeds {
            match &feed.location {
                Location::Path(path) => set.add_path(path, &feed.options(None)),
                Location::Signed(signed) => set.add_signed(signed, &feed.options(None)),
                Location::Http(_) | Location::Stdin => set.add_copy(feed, &cache),
            }
            set.skipped.extend(ended(feed));
            set.configured.push((feed.clone(), set.feeds.len()));
        }
        set
    }

    /// What is worth saying about files, for verbs that do not report on them.
    pub(in crate::cli) fn complaints(&self) -> Vec<String> {
        let of_feeds = self.feeds.iter().flat_map(|(file, parsed)| {
            let warnings = parsed.warnings.iter();
            warnings.map(move |warning| format!("{file}: {warning}"))
        });
        of_feeds.chain(self.skipped.iter().cloned()).collect()
    }

    /// Without a configuration nothing says how wide a feed's prefixes may be.
    pub(super) fn is_configured(&self) -> bool {
        !self.configured.is_empty()
    }

    /// Of a configuration, which is right where this is said.
    pub(super) fn configuration(&self) -> Option<String> {
        let (feeds, unfetched) = (self.configured.len(), self.unfetched);
        self.is_configured()
            .then(|| format!("ok; feeds: {feeds}, never fetched: {unfetched}"))
    }

    /// Nothing is known of any feed, and nothing is wrong with that.
    pub(super) fn is_unfetched(&self) -> bool {
        self.is_configured() && self.unfetched == self.configured.len()
    }

    /// Notes configured feeds that cover more than they may: the daemon does not put them in force.
    pub(super) fn hold_too_much(&mut self, guard: &Guard) {
        let mut from = 0;
        let mut held = Vec::new();
        for (feed, to) in &self.configured {
            let files = self.feeds.get(from..*to).unwrap_or_default();
            let rows = files.iter().flat_map(|(_, parsed)| &parsed.rows);
            let max = feed.max_addresses;
            held.extend(Covered::above(max, feed.policy.terms.wide, rows, guard).map(|covered| {
                format!(
                    "feed {}: it covers {covered}, more than its `max_addresses` ({max}) lets it",
                    feed.name
                )
            }));
            from = *to;
        }
        held.into_iter().for_each(|reason| self.skip(reason, true));
    }

    pub(in crate::cli) fn merge(&self, guard: &Guard) -> RuleSet {
        let voices = self.voices();
        let label = |index: usize, name: &Arc<str>, feed: u32| {
            let terms = Terms {
                wide: self.is_wide(index),
                ..Terms::of(Action::Drop)
            };
            Label {
                voice: voices.get(index).copied(),
                ..Label::new(Arc::clone(name), feed, terms)
            }
        };
        let feeds: Vec<_> = self
            .feeds
            .iter()
            .zip(0_u32..)
            .enumerate()
            .map(|(index, ((name, parsed), feed))| FeedRows {
                label: label(index, name, feed),
                rows: &parsed.rows,
            })
            .collect();
        // A check is about the files, whatever the time.
        let context = Context {
            guard,
            kinds: &Kinds::default(),
            now: None,
        };
        merge(&feeds, context)
    }

    /// Whose word each file is: the files of a feed speak with one voice.
    fn voices(&self) -> Vec<u32> {
        let files = self.feeds.iter().enumerate();
        let said = files.map(|(index, (name, _))| {
            let source = self.feed_of(index).map(|feed| feed.location.identity());
            (source.unwrap_or_else(|| name.to_string()), None)
        });
        voices(&said.collect::<Vec<_>>())
    }

    /// The configured feed that the file with this index is of.
    fn feed_of(&self, index: usize) -> Option<&FeedConfig> {
        let mut configured = self.configured.iter();
        let feed = configured.find(|(_, behind)| index < *behind);
        feed.map(|(feed, _)| feed)
    }

    /// Whether the file with this index may list prefixes of any width.
    fn is_wide(&self, index: usize) -> bool {
        let feed = self.feed_of(index);
        feed.is_none_or(|feed| feed.policy.terms.wide)
    }

    fn add_path(&mut self, path: &Path, options: &Options) {
        match files::list(path) {
            Ok(found) => found.iter().for_each(|file| self.add(file, options)),
            Err(reason) => self.skip(format!("{}: {reason}", path.display()), true),
        }
    }

    /// Lists without a signature that holds are none, here as for the daemon.
    fn add_signed(&mut self, signed: &SignedPath, options: &Options) {
        let body = match FileSource::signed(signed.clone()).read() {
            Ok(body) => body,
            Err(reason) => return self.skip(reason.to_string(), true),
        };
        let alone = body.parts.len() == 1;
        for part in &body.parts {
            let name = part.name.as_str().into();
            self.add_body(name, &part.bytes, options.clone(), alone);
        }
    }

    fn add_copy(&mut self, feed: &FeedConfig, cache: &Cache) {
        let name = &feed.name;
        let stored = match cache.load(name) {
            Ok(Some(stored)) if stored.origin == feed.location.identity() => stored,
            Ok(_) => {
                self.unfetched += 1;
                return self.skip(
                    format!("feed {name}: left out, there is no last good copy of it yet: `trickblock run` makes one"),
                    false,
                );
            }
            Err(error) => return self.skip(format!("feed {name}: left out: {error}"), false),
        };
        let Stored {
            body, fetched_at, ..
        } = stored;
        for part in &body.parts {
            let options = feed.options(Seen::from_unix(fetched_at.as_second()));
            self.add_body(part.name.as_str().into(), &part.bytes, options, true);
        }
    }

    fn add(&mut self, file: &Found, options: &Options) {
        let name: Arc<str> = file.path.display().to_string().into();
        match files::load(&file.path) {
            Ok(body) => self.add_body(name, &body, options.clone(), file.named),
            Err(reason) => self.skip(format!("{name}: {reason}"), file.named),
        }
    }

    fn add_body(&mut self, name: Arc<str>, body: &[u8], options: Options, named: bool) {
        match feed::parse(body, options) {
            Ok(parsed) => self.feeds.push((name, parsed)),
            // The set as a whole decides whether that is too much.
            Err(NotAFeed::MostlyMalformed(mut parsed)) => {
                let error = NotAFeed::MostlyMalformed(parsed.clone()).to_string();
                parsed.warnings.insert(0, error);
                self.feeds.push((name, *parsed));
            }
            Err(reason) => self.skip(format!("{name}: {reason}"), named),
        }
    }

    fn skip(&mut self, reason: String, named: bool) {
        if named {
            self.failed.push(reason.clone());
        }
        self.skipped.push(reason);
    }
}
