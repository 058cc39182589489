//! One line per step: what was found, what was done, what failed and how to mend it.

use std::time::Instant;

use anyhow::Result;

/// How much setup prints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Every step.
    Every,
    /// Only what changed or is wrong: setup is then the first step of another task.
    Changes,
}

/// Prints the steps as they end and remembers whether one failed.
pub struct Report {
    detail: Detail,
    failed: usize,
    done: usize,
}

impl Report {
    /// A report without any step yet.
    pub fn new(detail: Detail) -> Self {
        Self {
            detail,
            failed: 0,
            done: 0,
        }
    }

    /// How much is printed.
    pub fn detail(&self) -> Detail {
        self.detail
    }

    /// A step that found everything in place.
    pub fn ok(&self, what: &str, found: &str) {
        if self.detail == Detail::Every {
            line("ok", what, found);
        }
    }

    /// A step that changed the machine, begun at `start`.
    pub fn did(&mut self, what: &str, deed: &str, start: Instant) {
        self.done += 1;
        line(
            "did",
            what,
            &format!("{deed} ({:.0} s)", start.elapsed().as_secs_f64()),
        );
    }

    /// Something that is not needed to build, with the way to get it.
    pub fn note(&self, what: &str, state: &str, fix: &str) {
        if self.detail == Detail::Every {
            line("note", what, &format!("{state}; {fix}"));
        }
    }

    /// A step that could not be done.
    pub fn failed(&mut self, what: &str, why: &str, fix: &str) {
        self.failed += 1;
        line("failed", what, &format!("{why}\n         fix: {fix}"));
    }

    /// Whether no step failed, after a last line that sums up.
    pub fn finish(self) -> Result<bool> {
        match (self.detail, self.failed, self.done) {
            (_, 1.., _) => println!("setup: {} failed", self.failed),
            (Detail::Every, 0, 0) => println!("setup: nothing to do"),
            (_, 0, 1..) => println!("setup: done"),
            (Detail::Changes, 0, 0) => {}
        }
        Ok(self.failed == 0)
    }
}

fn line(state: &str, what: &str, rest: &str) {
    println!("{state:<7}  {what}: {rest}");
}
