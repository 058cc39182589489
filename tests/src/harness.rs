//! Runs tests that may need what a machine does not have.
//!
//! A test binary with `harness = false` calls [`main`] with its table of tests. Needs are probed,
//! once each and only for tests that a filter selected; a test with an unmet need counts as
//! ignored, and standard output ends with a line `SKIP <binary>::<test>: <reason>` for it.

use std::{
    collections::BTreeMap,
    path::Path,
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use libtest_mimic::{Arguments, Completion, Trial};

pub use crate::needs::Need;

/// One test: it passes if `run` returns, and fails with the message of its panic.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// As shown, and as matched by a filter.
    pub name: &'static str,
    /// What the machine must have.
    pub needs: &'static [Need],
    /// The test itself.
    pub run: fn(),
}

/// A test named like its function.
#[macro_export]
macro_rules! case {
    ($run:ident, $needs:expr) => {
        $crate::harness::Test {
            name: stringify!($run),
            needs: $needs,
            run: $run,
        }
    };
}

/// Runs `tests` as the arguments of this process say (libtest's: filters, `--list`,
/// `--test-threads`, …) and lists at the end what was skipped, and why.
pub fn main(tests: &[Test]) -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = tests.iter().map(|test| trial(*test)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    for (test, reason) in SKIPPED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
    {
        println!("SKIP {}::{test}: {reason}", binary_name());
    }
    conclusion.exit_code()
}

/// Printed at the end, since libtest's own lines may not be cut; sorted, so always the same.
static SKIPPED: Mutex<BTreeMap<&'static str, String>> = Mutex::new(BTreeMap::new());

fn trial(test: Test) -> Trial {
    Trial::ignorable_test(test.name, move || {
        let unmet = test.needs.iter().find_map(|need| need.unmet());
        let Some(reason) = unmet else {
            (test.run)();
            return Ok(Completion::Completed);
        };
        let mut skipped = SKIPPED.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.insert(test.name, reason.clone());
        Ok(Completion::ignored_with(reason))
    })
}

/// The name of the test target: the file name without cargo's `-<hash>`.
fn binary_name() -> String {
    let program = std::env::args().next().unwrap_or_default();
    let stem = Path::new(&program)
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    match stem.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 => name.to_owned(),
        _ => stem,
    }
}
