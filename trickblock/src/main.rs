use std::{
    env,
    ffi::OsString,
    io::{self, BufWriter},
    process::ExitCode,
};

use trickblock::{
    cli::{self, output::Lenient},
    feed::sandbox,
};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().collect();
    // Before anything else: a reader of feeds must have nothing to lose.
    if let Some(exit) = sandbox::serve(arguments.iter().map(OsString::as_os_str)) {
        return exit;
    }
    // Not locked: the daemon's threads write their log to standard error while this runs.
    let mut out = BufWriter::new(Lenient::new(io::stdout()));
    let mut err = Lenient::new(io::stderr());
    cli::run(arguments, &mut out, &mut err).into()
}
