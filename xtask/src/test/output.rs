//! Reads the output of `cargo test`: libtest's and libtest-mimic's, which differ in details.
//!
//! The counts come from each binary's own `test result:` line and the names from the lines of
//! the tests, so output that a test writes into such a line cannot change a count unnoticed.

use super::tally::{Case, Suite, Tally};

/// How a test says that it did not test: `SKIP <name>: <reason>`.
const SKIP: &str = "SKIP ";

/// Whether a line is worth the reader's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    Yes,
    No,
}

/// Takes the lines in order and builds the tally.
#[derive(Default)]
pub struct Reader {
    tally: Tally,
    binary: String,
    run: Run,
}

/// What was read of the running binary since its `running N tests`.
#[derive(Default)]
struct Run {
    started: bool,
    /// Its own sum; a binary that ends without one has crashed.
    counts: Option<Counts>,
    ok: Vec<String>,
    failed: Vec<String>,
    /// Ignored tests, with the reason if one was printed.
    ignored: Vec<(String, Option<String>)>,
    /// Skips announced by tests: name and reason.
    skips: Vec<Case>,
    /// A test whose result has not been printed yet: `test name ... ` without an end.
    pending: Option<String>,
    /// In which test's captured output we are.
    section: Option<String>,
    /// Inside `successes:`, the captured output of tests that passed.
    successes: bool,
}

/// The numbers of a `test result:` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Reader {
    /// Takes one line and says whether to show it.
    pub fn line(&mut self, line: &str) -> Show {
        if let Some(binary) = binary_name(line) {
            self.end_run();
            self.binary = binary;
        } else if is_title(line) {
            // Documentation tests come in several runs; a skip may be said before its run.
            if self.run.started {
                self.end_run();
            }
            self.run.started = true;
        } else if let Some(counts) = Counts::parse(line) {
            // Not the end yet: a harness may list its skips below.
            self.run.leave_section();
            self.run.counts = Some(counts);
        } else {
            return self.run.line(line);
        }
        Show::Yes
    }

    /// The tally, once the output has ended.
    pub fn finish(mut self) -> Tally {
        self.end_run();
        self.tally
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run.started {
            self.tally.add(run.into_suite(&self.binary));
        }
    }
}

impl Run {
    fn line(&mut self, line: &str) -> Show {
        if let Some(skip) = announced_skip(line) {
            let name = self.section.clone().unwrap_or(skip.name);
            self.skips.push(Case { name, ..skip });
        }
        match line {
            "successes:" => (self.successes, self.section) = (true, None),
            "failures:" => (self.successes, self.section) = (false, None),
            _ => {
                if let Some(name) = section_name(line) {
                    self.section = Some(name.to_owned());
                } else if !self.successes {
                    self.result(line);
                }
            }
        }
        if self.successes { Show::No } else { Show::Yes }
    }

    fn result(&mut self, line: &str) {
        if let Some((name, result)) = test_line(line) {
            self.pending = Some(name);
            self.resolve(result);
        } else if self.pending.is_some() {
            self.resolve(line);
        }
    }

    fn resolve(&mut self, result: &str) {
        let Some(name) = self.pending.take() else {
            return;
        };
        match result.trim() {
            "ok" => self.ok.push(name),
            "FAILED" => self.failed.push(name),
            other => match other.strip_prefix("ignored") {
                Some(rest) => self.ignored.push((name, ignore_reason(rest))),
                None => self.pending = Some(name),
            },
        }
    }

    fn leave_section(&mut self) {
        (self.successes, self.section) = (false, None);
    }

    fn crash(&self, binary: &str) -> Case {
        Case::new(
            binary,
            match &self.pending {
                Some(test) => format!("ended without a result, while {test} ran"),
                None => "ended without a result (crash, abort or exit)".to_owned(),
            },
        )
    }

    fn into_suite(self, binary: &str) -> Suite {
        let counts = self.counts.unwrap_or(Counts {
            passed: self.ok.len(),
            failed: self.failed.len(),
            ignored: self.ignored.len(),
        });
        let mut failed: Vec<_> = self
            .failed
            .iter()
            .map(|name| Case::new(name, "see its output above"))
            .collect();
        let unnamed = counts.failed.saturating_sub(failed.len());
        failed.extend((0..unnamed).map(|_| Case::new("?", "failed, its line was not found")));

        let mut skipped = self.skipped_by_themselves();
        let passed = counts.passed.saturating_sub(skipped.len());
        for (name, reason) in &self.ignored {
            let said = self.skips.iter().find(|skip| names(&skip.name, name));
            match reason
                .clone()
                .or_else(|| said.map(|skip| skip.reason.clone()))
            {
                Some(reason) => skipped.push(Case::new(name, reason)),
                None => failed.push(Case::new(name, "ignored without a reason")),
            }
        }
        failed.extend(self.counts.is_none().then(|| self.crash(binary)));
        let silent = counts.ignored.saturating_sub(self.ignored.len());
        failed.extend((0..silent).map(|_| Case::new("?", "ignored, its line was not found")));
        skipped.extend(self.skips_without_a_test());
        Suite {
            name: binary.to_owned(),
            passed,
            failed,
            skipped,
        }
    }

    /// Tests that report success after saying that they skipped: they have proved nothing.
    fn skipped_by_themselves(&self) -> Vec<Case> {
        let reason = |name: &String| {
            let skip = self.skips.iter().find(|skip| names(&skip.name, name))?;
            Some(Case::new(name, &skip.reason))
        };
        self.ok.iter().filter_map(reason).collect()
    }

    /// Announced skips of something that is no test here, for instance of a whole file.
    fn skips_without_a_test(&self) -> Vec<Case> {
        let ignored = self.ignored.iter().map(|(name, _)| name);
        let tests: Vec<_> = self.ok.iter().chain(&self.failed).chain(ignored).collect();
        let mut rest: Vec<Case> = Vec::new();
        for skip in &self.skips {
            let known = tests.iter().any(|test| names(&skip.name, test))
                || rest.iter().any(|seen| seen.name == skip.name);
            if !known {
                rest.push(Case::new(&skip.name, &skip.reason));
            }
        }
        rest
    }
}

impl Counts {
    /// `test result: ok. 1 passed; 2 failed; 3 ignored; 0 measured; …`
    fn parse(line: &str) -> Option<Self> {
        let (_, counts) = line
            .trim_start()
            .strip_prefix("test result: ")?
            .split_once(". ")?;
        let number = |word: &str| {
            let part = counts
                .split("; ")
                .find_map(|part| part.strip_suffix(word))?;
            part.trim().parse().ok()
        };
        Some(Self {
            passed: number("passed")?,
            failed: number("failed")?,
            ignored: number("ignored")?,
        })
    }
}

/// `     Running unittests src/lib.rs (target/debug/deps/trickblock-0a1b2c)` is
/// `trickblock src/lib.rs`, `   Doc-tests trickblock` is `trickblock doc`.
fn binary_name(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{name} doc"));
    }
    let (source, file) = line
        .strip_prefix("Running ")?
        .strip_suffix(')')?
        .split_once(" (")?;
    let (_, file) = file.rsplit_once("deps/")?;
    let name = file.rsplit_once('-').map_or(file, |(name, _hash)| name);
    Some(format!(
        "{name} {}",
        source.trim_start_matches("unittests ")
    ))
}

/// `running 3 tests`
fn is_title(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("running ") else {
        return false;
    };
    let number = rest
        .strip_suffix(" tests")
        .or_else(|| rest.strip_suffix(" test"));
    number.is_some_and(|number| number.parse::<usize>().is_ok())
}

/// `test [kind] name - should panic ... ok`: name and what follows.
fn test_line(line: &str) -> Option<(String, &str)> {
    let (name, result) = line
        .strip_prefix("test ")?
        .split_once(" ... ")
        .or_else(|| {
            // The rest of the line may not have been written yet when another program wrote its own.
            line.strip_prefix("test ")?
                .strip_suffix(" ...")
                .map(|name| (name, ""))
        })?;
    let name = match name
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        Some((_kind, name)) => name,
        None => name,
    };
    let name = name.trim();
    Some((
        name.strip_suffix(" - should panic")
            .unwrap_or(name)
            .to_owned(),
        result,
    ))
}

/// `---- name stdout ----` (libtest) or `---- name ----` (libtest-mimic).
fn section_name(line: &str) -> Option<&str> {
    let name = line.strip_prefix("---- ")?.strip_suffix(" ----")?;
    Some(name.strip_suffix(" stdout").unwrap_or(name))
}

/// The reason in `ignored, reason` (libtest) or `ignored (reason)` (libtest-mimic).
fn ignore_reason(rest: &str) -> Option<String> {
    let rest = rest.trim();
    let libtest = rest.strip_prefix(", ");
    let mimic = || rest.strip_prefix('(')?.strip_suffix(')');
    let reason = libtest.or_else(mimic)?.trim();
    (!reason.is_empty()).then(|| reason.to_owned())
}

/// `SKIP name: reason`, also behind a `test name ... ` that waits for its result.
fn announced_skip(line: &str) -> Option<Case> {
    let skip = line
        .strip_prefix(SKIP)
        .or_else(|| test_line(line)?.1.strip_prefix(SKIP))?;
    let (name, reason) = skip.split_once(": ")?;
    let reason = reason.trim();
    (!reason.is_empty()).then(|| Case::new(name.trim(), reason))
}

/// Whether an announced name means this test: either may carry a longer path, and a harness
/// puts the binary's name in front.
fn names(announced: &str, test: &str) -> bool {
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short)
            .is_some_and(|path| path.is_empty() || path.ends_with("::"))
    };
    ends(test, announced) || ends(announced, test)
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
