//! A test binary that runs itself again: in another namespace, with fewer capabilities, or only to
//! end while its filter stays.

use std::{env, io, process::Command};

/// What a child prints when it did all it should.
pub const DONE: &str = "child: done";

const ROLE: &str = "TRICKBLOCK_TEST_ROLE";

/// The role of this process, if a test started it. To be asked first thing in `main`.
pub fn role() -> Option<String> {
    env::var(ROLE).ok()
}

/// This binary, in `role`, as the last argument of a `command` that starts it: `env`, `setpriv`, a
/// shell.
pub fn with_role(mut command: Command, role: &str) -> io::Result<Command> {
    command.arg(env::current_exe()?).env(ROLE, role);
    Ok(command)
}

/// Runs the child to its end: what it printed, and whether it was done.
pub fn run(command: &mut Command) -> io::Result<(bool, String)> {
    let output = command.output()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((output.status.success() && text.contains(DONE), text))
}
