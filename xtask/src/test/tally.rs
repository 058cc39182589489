//! What passed, failed and was skipped, per test binary, and the summary of it.

use std::time::Duration;

/// The result of one test binary (or of one crate's documentation tests).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Suite {
    pub name: String,
    pub passed: usize,
    pub failed: Vec<Case>,
    pub skipped: Vec<Case>,
}

/// A test that failed or was skipped, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Case {
    pub name: String,
    pub reason: String,
}

/// The results of all test binaries, in the order they ran.
#[derive(Debug, Default)]
pub struct Tally {
    suites: Vec<Suite>,
}

impl Case {
    /// A case by its name and reason.
    pub fn new(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            reason: reason.into(),
        }
    }
}

impl Tally {
    /// A run that failed before any test: one failure.
    pub fn of_failure(what: &str, reason: &str) -> Self {
        let mut tally = Self::default();
        tally.fail(what, reason);
        tally
    }

    /// Adds a binary's results; one without any test is left out.
    pub fn add(&mut self, suite: Suite) {
        if suite.passed + suite.failed.len() + suite.skipped.len() > 0 {
            self.suites.push(suite);
        }
    }

    /// Adds a failure that belongs to no test.
    pub fn fail(&mut self, what: &str, reason: &str) {
        let failed = vec![Case::new(what, reason)];
        self.suites.push(Suite {
            name: what.to_owned(),
            failed,
            ..Suite::default()
        });
    }

    /// Whether anything failed so far.
    pub fn has_failures(&self) -> bool {
        self.failed() > 0
    }

    /// Whether tests ran and none failed. Skipped ones did not run.
    pub fn succeeded(&self) -> bool {
        self.failed() == 0 && self.passed() > 0
    }

    /// `N passed, N failed, N skipped`.
    pub fn summary(&self) -> String {
        let skipped: usize = self.suites.iter().map(|suite| suite.skipped.len()).sum();
        format!(
            "{} passed, {} failed, {skipped} skipped",
            self.passed(),
            self.failed()
        )
    }

    /// Prints a line per binary, each skip and each failure, and the summary as the last line.
    pub fn print(&self, elapsed: Duration) {
        println!("\npassed  failed  skipped  ({} s)", elapsed.as_secs());
        for Suite {
            name,
            passed,
            failed,
            skipped,
        } in &self.suites
        {
            println!(
                "{passed:>6}  {:>6}  {:>7}  {name}",
                failed.len(),
                skipped.len()
            );
        }
        for (suite, case) in cases(&self.suites, |suite| &suite.skipped) {
            println!("SKIPPED {suite} {}: {}", case.name, case.reason);
        }
        for (suite, case) in cases(&self.suites, |suite| &suite.failed) {
            println!("FAILED {suite} {}: {}", case.name, case.reason);
        }
        if !self.has_failures() && !self.succeeded() {
            println!("no test ran: check the filter");
        }
        println!("{}", self.summary());
    }

    #[cfg(test)]
    pub fn suites(&self) -> &[Suite] {
        &self.suites
    }

    #[cfg(test)]
    pub fn take_first(&mut self) -> Suite {
        self.suites.remove(0)
    }

    fn passed(&self) -> usize {
        self.suites.iter().map(|suite| suite.passed).sum()
    }

    fn failed(&self) -> usize {
        self.suites.iter().map(|suite| suite.failed.len()).sum()
    }
}

fn cases(suites: &[Suite], of: fn(&Suite) -> &Vec<Case>) -> impl Iterator<Item = (&str, &Case)> {
    suites
        .iter()
        .flat_map(move |suite| of(suite).iter().map(|case| (suite.name.as_str(), case)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_adds_up_all_binaries() {
        let mut tally = Tally::default();
        tally.add(Suite {
            name: "a".into(),
            passed: 2,
            ..Suite::default()
        });
        let skipped = vec![Case::new("x", "no root")];
        tally.add(Suite {
            name: "b".into(),
            passed: 1,
            skipped,
            ..Suite::default()
        });
        tally.add(Suite {
            name: "without tests".into(),
            ..Suite::default()
        });
        assert_eq!(tally.summary(), "3 passed, 0 failed, 1 skipped");
        assert_eq!(tally.suites().len(), 2);
        assert!(tally.succeeded());
        tally.fail("cargo test", "exit status: 101");
        assert_eq!(tally.summary(), "3 passed, 1 failed, 1 skipped");
        assert!(!tally.succeeded());
    }

    #[test]
    fn a_run_of_skips_only_is_no_success() {
        let mut tally = Tally::default();
        let skipped = vec![Case::new("x", "no root")];
        tally.add(Suite {
            name: "a".into(),
            skipped,
            ..Suite::default()
        });
        assert!(!tally.succeeded() && !tally.has_failures());
    }
}
