//! The harness itself: run again as a child, with a table of tests that pass, fail and cannot run.

use std::{
    env,
    process::{Command, ExitCode},
};

use trickblock_tests::harness::{self, Need, Test};

fn main() -> ExitCode {
    if env::var_os(AS_CHILD).is_some() {
        harness::main(CHILD)
    } else {
        harness::main(TESTS)
    }
}

const AS_CHILD: &str = "TRICKBLOCK_HARNESS_CHILD";

const CHILD: &[Test] = &[
    Test {
        name: "passes",
        needs: &[],
        run: || {},
    },
    Test {
        name: "panics",
        needs: &[],
        run: || panic!("the message of the panic"),
    },
    Test {
        name: "corpus",
        needs: &[Need::Corpus],
        run: || panic!("ran without a corpus"),
    },
];

const TESTS: &[Test] = &[
    Test {
        name: "failure_skip_and_success",
        needs: &[],
        run: failure_skip_and_success,
    },
    Test {
        name: "filters_and_list",
        needs: &[],
        run: filters_and_list,
    },
    Test {
        name: "met_need_runs",
        needs: &[],
        run: met_need_runs,
    },
];

fn failure_skip_and_success() {
    let (code, stdout) = child(&[], "/nonexistent");
    assert_eq!(code, Some(101), "{stdout}");
    assert!(stdout.contains("the message of the panic"), "{stdout}");
    assert!(stdout.contains("1 passed; 1 failed; 1 ignored"), "{stdout}");
    let skip = "SKIP harness::corpus: TRICKBLOCK_CORPUS=/nonexistent: cannot be listed: \
                No such file or directory (os error 2)";
    assert_eq!(skips(&stdout), [skip]);
}

fn filters_and_list() {
    let (code, stdout) = child(&["passes"], "/nonexistent");
    assert_eq!((code, skips(&stdout)), (Some(0), vec![]), "{stdout}");
    assert!(stdout.contains("1 passed; 0 failed; 0 ignored"), "{stdout}");

    let (code, stdout) = child(&["--list"], "/nonexistent");
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "passes: test\npanics: test\ncorpus: test\n")
    );
}

fn met_need_runs() {
    let (code, stdout) = child(&["corpus"], "/");
    assert_eq!((code, skips(&stdout)), (Some(101), vec![]), "{stdout}");
    assert!(stdout.contains("ran without a corpus"), "{stdout}");
}

fn child(arguments: &[&str], corpus: &str) -> (Option<i32>, String) {
    let output = Command::new(env::current_exe().unwrap())
        .args(arguments)
        .env(AS_CHILD, "1")
        .env("TRICKBLOCK_CORPUS", corpus)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

fn skips(stdout: &str) -> Vec<&str> {
    stdout
        .lines()
        .filter(|line| line.starts_with("SKIP "))
        .collect()
}
