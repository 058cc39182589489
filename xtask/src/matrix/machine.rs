//! Starts a kernel with the program, shows its progress and reads its answer.

use std::{collections::VecDeque, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Emulator, kernels::Image};
use crate::process::{Event, command, lines};

/// As in the program.
const RESULT: &str = "matrix-result: ";
const STEP: &str = "matrix-step: ";
/// A guest that hangs must not hang the build machine. The slowest takes two minutes on an idle one,
/// and other work on it may make that many times longer.
const LIMIT: Duration = Duration::from_secs(600);
/// Lines of the console that are shown of a guest without an answer.
const TAIL: usize = 60;

/// The program on this machine's own kernel.
pub fn host(program: &Path) -> Command {
    command(program)
}

/// An emulated machine: KVM is not there where this is tested, and need not be.
pub fn emulated(emulator: &Emulator, image: &Image, archive: &Path) -> Command {
    let mut qemu = emulator.command();
    // One thread for both CPUs: with a thread each, one may run an instruction that the other has just patched, and a
    // kernel that flips a static branch dies of its own breakpoint now and then (seen as `Oops: int3`).
    qemu.args(["-accel", "tcg,thread=single", "-cpu", "max"])
        .args(["-smp", "2", "-m", "1024"])
        .args(["-nographic", "-no-reboot", "-nic", "none"])
        .arg("-kernel")
        .arg(&image.kernel)
        .arg("-initrd")
        .arg(archive)
        .args(["-append", "console=ttyS0 panic=-1 quiet no_timer_check"]);
    qemu
}

/// The kernel as a process. Its memory is a file in `dir`: the usual place may be too small, or refuse
/// to execute.
pub fn user_mode(image: &Image, archive: &Path, dir: &Path) -> Command {
    let mut linux = command(&image.kernel);
    linux
        .env("TMPDIR", dir)
        .args([
            "mem=512M",
            "con=null",
            "con0=null,fd:1",
            "quiet",
            "panic=-1",
        ])
        .arg(format!("uml_dir={}", dir.display()))
        .arg(format!("initrd={}", archive.display()))
        // Variables of the first process. Nothing is slower there than touching fresh memory.
        .args(["ANY_ALIGNMENT=1", "MALLOC_TRIM_THRESHOLD_=4294967296"])
        .arg("MALLOC_MMAP_THRESHOLD_=1073741824");
    linux
}

/// Runs it to its end.
///
/// # Errors
/// If it cannot be started, takes too long or says nothing, with the last lines of its console.
pub fn run(name: &str, command: Command) -> Result<Value> {
    let mut answer = None;
    let mut tail = VecDeque::with_capacity(TAIL);
    let ended = lines(command, Some(LIMIT), |event| match event {
        Event::Line(line) => match Said::of(line) {
            Said::Step(step) => println!("{name:<13}  {step}"),
            Said::Result(result) => answer = Some(result.to_owned()),
            Said::Other(line) => {
                if tail.len() == TAIL {
                    tail.pop_front();
                }
                tail.push_back(line.to_owned());
            }
        },
        Event::Tick(elapsed) => println!("{name:<13}  ... {} s", elapsed.as_secs()),
    });
    if let Some(answer) = answer {
        return serde_json::from_str(&answer).context("an answer that is no JSON");
    }
    let tail = tail.make_contiguous().join("\n");
    match ended {
        Ok(status) => bail!("ended with {status} and no answer; its last lines:\n{tail}"),
        Err(error) => Err(error.context(format!("no answer; its last lines:\n{tail}"))),
    }
}

/// A line of a console, which may begin with what the firmware left.
#[derive(Debug, PartialEq, Eq)]
enum Said<'a> {
    Step(&'a str),
    Result(&'a str),
    Other(&'a str),
}

impl<'a> Said<'a> {
    fn of(line: &'a str) -> Self {
        if let Some((_, result)) = line.split_once(RESULT) {
            return Self::Result(result);
        }
        match line.split_once(STEP) {
            Some((_, step)) => Self::Step(step),
            None => Self::Other(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(
            Said::of("\u{1b}[2Jmatrix-step: load: 7"),
            Said::Step("load: 7")
        );
        assert_eq!(Said::of("matrix-result: {}"), Said::Result("{}"));
        assert_eq!(
            Said::of("Booting from ROM"),
            Said::Other("Booting from ROM")
        );
    }

    fn shell(script: &str) -> Command {
        let mut shell = command("sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn the_answer_is_read_whatever_the_exit_code() {
        let said = run("x", shell("echo 'matrix-result: {\"a\": 1}'; exit 1")).unwrap();
        assert_eq!(said["a"], 1);
    }

    #[test]
    fn without_an_answer_the_console_is_shown() {
        let error = run("x", shell("echo 'Kernel panic'; exit 3")).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("Kernel panic") && error.contains('3'),
            "{error}"
        );
    }
}
