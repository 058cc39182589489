//! How much memory a reader takes, seen from the process that started it and nothing else.

use std::{
    fmt::Write as _,
    mem::MaybeUninit,
    process::{Command, ExitCode, Stdio},
};

use trickblock::feed::{
    Options,
    sandbox::{PARSE_CHILD, Program, Reader},
};
use trickblock_tests::{child, cli::binary};

/// What a process is told that has one body read, and says what its reader took.
pub const ROLE: &str = "measure";

const ROWS: u32 = 880_000;
const MIB: i64 = 1 << 20;
/// Of one that may read the largest body, which has 64.
const MOST: i64 = 96 * MIB;

pub fn the_largest_body_takes_little_more_than_itself() {
    // Built before: a compiler is larger than any reader.
    binary().unwrap();
    let mut command = child::with_role(Command::new("env"), ROLE).unwrap();
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let peak: i64 = said.trim().parse().expect(&said);
    println!("peak: {} MiB", peak / MIB);
    assert!(peak > 60 * MIB, "the body was there: {peak}");
    assert!(peak < MOST, "{peak}");
}

/// Prints the bytes of the largest process that this one started.
pub fn play() -> ExitCode {
    let reader = Reader::confined(Program::new(binary().unwrap(), [PARSE_CHILD]));
    let parsed = reader.parse(body().as_bytes(), &Options::default());
    let rows = parsed.unwrap().rows.len();
    assert_eq!(u32::try_from(rows), Ok(ROWS));
    println!("{}", largest_child());
    ExitCode::SUCCESS
}

/// 64 MiB.
fn body() -> String {
    let mut body = String::from(
        "\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\n",
    );
    for row in 0..ROWS {
        let (high, low, port) = (row >> 8 & 127, row & 255, 1_000 + row / 32_768);
        writeln!(
            body,
            "\"2021-03-19 10:00:00\",\"198.18.{high}.{low}\",\"{port}\",\"online\",\"2021-03-20\",\"Dridex\""
        )
        .expect("memory");
    }
    body
}

fn largest_child() -> i64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a whole `rusage`, which is all that the call writes.
    let done = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    assert_eq!(done, 0);
    // SAFETY: all zeros are a value of it, and the call has written over them.
    let usage = unsafe { usage.assume_init() };
    usage.ru_maxrss * 1_024
}
