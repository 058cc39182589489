//! The harness itself: run again as a child, with a table of tests that pass, fail and cannot run.

use std::{
    env,
    process::{Command, ExitCode},
    time::Duration,
};

use trickblock_tests::{
    case,
    cli::Run,
    harness::{self, Need, Test},
};

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
    case!(runner, &[]),
];

const TESTS: &[Test] = &[
    case!(failure_skip_and_success, &[]),
    case!(filters_and_list, &[]),
    case!(met_need_runs, &[]),
    case!(runner_of_the_binary, &[]),
];

fn failure_skip_and_success() {
    let (code, stdout) = child(&[], "/nonexistent");
    assert_eq!(code, Some(101), "{stdout}");
    assert!(stdout.contains("the message of the panic"), "{stdout}");
    assert!(stdout.contains("2 passed; 1 failed; 1 ignored"), "{stdout}");
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
        (
            Some(0),
            "passes: test\npanics: test\ncorpus: test\nrunner: test\n"
        )
    );
}

fn met_need_runs() {
    let (code, stdout) = child(&["corpus"], "/");
    assert_eq!((code, skips(&stdout)), (Some(101), vec![]), "{stdout}");
    assert!(stdout.contains("ran without a corpus"), "{stdout}");
}

/// In a child, whose binary under test is a shell.
fn runner_of_the_binary() {
    let (code, stdout) = child(&["runner"], "/");
    assert_eq!(code, Some(0), "{stdout}");
}

fn runner() {
    let shell = |script: &str| Run::new(["-c", script]);
    let output = shell("echo '{\"a\": 1}'; echo bad >&2; exit 3")
        .output()
        .unwrap();
    assert_eq!((output.code, output.stderr.as_str()), (Some(3), "bad\n"));
    assert_eq!(output.json().unwrap()["a"], 1);
    let failed = output.succeeded().unwrap_err().to_string();
    assert!(
        failed.contains("exit code Some(3)") && failed.contains("bad"),
        "{failed}"
    );

    // More than a pipe holds.
    let output = shell("head -c 1000000 /dev/zero").output().unwrap();
    assert_eq!(output.stdout.len(), 1_000_000);

    let endless = shell("echo begun; exec sleep 60").timeout(Duration::from_millis(200));
    let error = endless.output().unwrap_err().to_string();
    assert!(
        error.contains("took more than 200ms") && error.contains("begun"),
        "{error}"
    );
}

fn child(arguments: &[&str], corpus: &str) -> (Option<i32>, String) {
    let output = Command::new(env::current_exe().unwrap())
        .args(arguments)
        .env(AS_CHILD, "1")
        .env("TRICKBLOCK_CORPUS", corpus)
        .env("TRICKBLOCK_BIN", "/bin/sh")
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
