use super::*;

/// Reads a whole output; the names are what cargo and the two harnesses really print.
fn read(output: &str) -> Tally {
    let mut reader = Reader::default();
    for line in output.lines() {
        reader.line(line);
    }
    reader.finish()
}

fn only(output: &str) -> Suite {
    let mut tally = read(output);
    let summary = tally.summary();
    assert_eq!(tally.suites().len(), 1, "{summary}");
    tally.take_first()
}

fn result(passed: usize, failed: usize, ignored: usize) -> String {
    let word = if failed == 0 { "ok" } else { "FAILED" };
    format!(
        "test result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; \
         0 filtered out; finished in 0.00s\n"
    )
}

#[test]
fn libtest_results_are_read() {
    let output = format!(
        "     Running unittests src/lib.rs (target/debug/deps/trickblock-0f0f)\n\nrunning 4 tests\n\
         test a::passes ... ok\ntest a::panics - should panic ... ok\n\
         test a::slow ... ignored, needs 10 GiB\ntest a::fails ... FAILED\n\nfailures:\n\n\
         ---- a::fails stdout ----\nthread panicked\n\n\nfailures:\n    a::fails\n\n{}",
        result(2, 1, 1)
    );
    let suite = only(&output);
    assert_eq!(suite.name, "trickblock src/lib.rs");
    assert_eq!(suite.passed, 2);
    assert_eq!(
        suite.failed,
        [Case::new("a::fails", "see its output above")]
    );
    assert_eq!(suite.skipped, [Case::new("a::slow", "needs 10 GiB")]);
}

#[test]
fn mimic_results_are_read() {
    let output = format!(
        "     Running tests/netns.rs (target/debug/deps/netns-12ab)\n\nrunning 3 tests\n\
         test [netns] attach      ... ok\ntest [netns] long_name_x ... ignored (no CAP_NET_ADMIN)\n\
         test         broken      ... FAILED\n\nfailures:\n\n---- broken ----\nboom\n\n\n\
         failures:\n    broken\n\n{}",
        result(1, 1, 1)
    );
    let suite = only(&output);
    assert_eq!(suite.name, "netns tests/netns.rs");
    assert_eq!((suite.passed, suite.failed.len()), (1, 1));
    assert_eq!(
        suite.skipped,
        [Case::new("long_name_x", "no CAP_NET_ADMIN")]
    );
}

#[test]
fn an_ignored_test_without_a_reason_fails() {
    let output = format!(
        "running 1 test\ntest quiet ... ignored\n\n{}",
        result(0, 0, 1)
    );
    let suite = only(&output);
    assert_eq!(
        suite.failed,
        [Case::new("quiet", "ignored without a reason")]
    );
    assert!(suite.skipped.is_empty());
}

#[test]
fn a_printed_skip_is_the_reason_of_an_ignored_test() {
    let output = format!(
        "running 1 test\nSKIP quiet: no veth here\ntest quiet ... ignored\n\n{}",
        result(0, 0, 1)
    );
    let suite = only(&output);
    assert_eq!(suite.skipped, [Case::new("quiet", "no veth here")]);
    assert!(suite.failed.is_empty());
}

#[test]
fn skips_said_before_and_after_the_run_belong_to_it() {
    let output = format!(
        "     Running tests/corpus.rs (target/debug/deps/corpus-1f)\nSKIP corpus::csv: no corpus\n\n\
         running 2 tests\ntest csv  ... ignored\ntest json ... ignored (no corpus)\n\n{}\
         SKIP corpus::json: no corpus\n",
        result(0, 0, 2)
    );
    let suite = only(&output);
    assert_eq!(
        suite.skipped,
        [
            Case::new("csv", "no corpus"),
            Case::new("json", "no corpus")
        ]
    );
    assert!(suite.failed.is_empty());
}

#[test]
fn a_passing_test_that_says_skip_has_not_passed() {
    let output = format!(
        "running 2 tests\ntest corpus::feodo ... ok\ntest other ... ok\n\nsuccesses:\n\n\
         ---- corpus::feodo stdout ----\nSKIP corpus: TRICKBLOCK_CORPUS is not set\n\n\n\
         successes:\n    corpus::feodo\n    other\n\n{}",
        result(2, 0, 0)
    );
    let suite = only(&output);
    assert_eq!(suite.passed, 1);
    assert_eq!(
        suite.skipped,
        [Case::new("corpus::feodo", "TRICKBLOCK_CORPUS is not set")]
    );
}

#[test]
fn a_skip_of_a_whole_file_counts_once() {
    let output = format!(
        "running 0 tests\nSKIP netns: needs root\nSKIP netns: needs root\n\n{}",
        result(0, 0, 0)
    );
    assert_eq!(only(&output).skipped, [Case::new("netns", "needs root")]);
}

#[test]
fn a_result_behind_the_tests_own_output_is_found() {
    let output = format!(
        "running 2 tests\ntest one ... SKIP one: no bpffs\nok\ntest two ... noise\nmore\nFAILED\n\n{}",
        result(1, 1, 0)
    );
    let suite = only(&output);
    assert_eq!(suite.skipped, [Case::new("one", "no bpffs")]);
    assert_eq!(suite.failed, [Case::new("two", "see its output above")]);
    assert_eq!(suite.passed, 0);
}

#[test]
fn counts_win_over_lines_that_were_torn() {
    let output = format!("running 3 tests\ntest a ... ok\n\n{}", result(1, 1, 1));
    let suite = only(&output);
    assert_eq!(
        (suite.passed, suite.failed.len(), suite.skipped.len()),
        (1, 2, 0)
    );
}

#[test]
fn a_crash_is_a_failure_that_names_the_binary() {
    let output = "     Running tests/a.rs (target/debug/deps/a-1)\n\nrunning 2 tests\n\
                  test one ... ok\ntest two ... \nerror: test failed, to rerun pass `--test a`\n\
                  \x20    Running tests/b.rs (target/debug/deps/b-2)\n\nrunning 1 test\n\
                  test three ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n";
    let tally = read(output);
    assert_eq!(tally.summary(), "2 passed, 1 failed, 0 skipped");
    let [crashed, _] = tally.suites() else {
        panic!("{:?}", tally.suites())
    };
    assert_eq!(crashed.name, "a tests/a.rs");
    assert!(
        crashed.failed[0].reason.contains("while two ran"),
        "{crashed:?}"
    );
}

#[test]
fn documentation_tests_are_read() {
    let output = format!(
        "   Doc-tests trickblock_common\n\nrunning 2 tests\n\
         test trickblock-common/src/parse.rs - parse (line 7) ... ok\n\
         test trickblock-common/src/parse.rs - (line 9) - compile fail ... ok\n\n{}\
         all doctests ran in 0.31s; merged doctests compilation took 0.25s\n",
        result(2, 0, 0)
    );
    let suite = only(&output);
    assert_eq!(
        (suite.name.as_str(), suite.passed),
        ("trickblock_common doc", 2)
    );
}

#[test]
fn the_output_of_passing_tests_is_not_shown() {
    let mut reader = Reader::default();
    let lines = [
        "running 1 test",
        "test a ... ok",
        "successes:",
        "---- a stdout ----",
        "chatter",
    ];
    let shown: Vec<_> = lines
        .iter()
        .filter(|line| reader.line(line) == Show::Yes)
        .collect();
    assert_eq!(shown, [&"running 1 test", &"test a ... ok"]);
    assert_eq!(reader.line("failures:"), Show::Yes);
    assert_eq!(reader.line(&result(0, 1, 0)), Show::Yes);
}

#[test]
fn a_build_error_has_no_results() {
    let tally = read("error[E0425]: cannot find value\nerror: could not compile `x`\n");
    assert_eq!(tally.summary(), "0 passed, 0 failed, 0 skipped");
}
