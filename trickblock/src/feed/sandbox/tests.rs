use super::*;
use crate::feed::Format;

#[test]
fn what_is_missing_is_named() {
    assert_eq!(Missing::default().to_string(), "full");
    let both = Missing::from_bits(6).unwrap();
    assert_eq!(both.to_string(), "no landlock, no seccomp");
    assert_eq!(Missing::from_bits(8), None);
}

#[test]
fn in_process_reads_as_parse_does() {
    let forced = Options::from(Some(Format::Plain));
    let parsed = Reader::InProcess.parse(TRIAL, &forced).unwrap();
    assert_eq!(parsed, crate::feed::parse(TRIAL, forced).unwrap());
    assert_eq!(Reader::InProcess.missing(), None);
}

#[test]
fn a_program_that_is_no_reader_is_an_error_with_its_reason() {
    let read = |path: &str, arguments: &[&str]| {
        let reader = Reader::confined(Program::new(path, arguments));
        let error = reader.parse(TRIAL, &Options::default()).unwrap_err();
        assert_eq!(reader.missing(), None);
        error.to_string()
    };
    assert!(read("/nonexistent/reader", &[]).contains("could not be started"));
    assert!(read("/bin/cat", &[]).contains("does not begin as one"));
    assert!(read("/bin/sh", &["-c", "exit 9"]).contains("exit code 9"));
    assert!(read("/bin/sh", &["-c", "kill -SEGV $$"]).contains("signal 11"));
    assert!(read("/bin/sh", &["-c", "kill -SYS $$"]).contains("signal 31 (forbidden system call)"));
    assert!(read("/bin/sh", &["-c", "kill -XCPU $$"]).contains("60 s of CPU"));
    assert!(read("/bin/sh", &["-c", "exec <&- >&-; sleep 100"]).contains("hung up"));
}

#[test]
fn one_that_never_answers_is_stopped() {
    let sleeper = Program::new("/bin/sh", ["-c", "sleep 100"]);
    let reader = Reader::confined(sleeper.within(std::time::Duration::from_millis(300)));
    let started = std::time::Instant::now();
    for body in [TRIAL.to_vec(), vec![b'\n'; 4 << 20]] {
        let error = reader.parse(&body, &Options::default()).unwrap_err();
        assert!(
            matches!(error, Unread::Stopped(Stopped::Time(_))),
            "{error}"
        );
    }
    assert!(started.elapsed().as_secs() < 10);
}
