use std::{
    env,
    io::{self, BufWriter},
    process::ExitCode,
};

use trickblock::cli::{self, output::Lenient};

fn main() -> ExitCode {
    // Not locked: the daemon's threads write their log to standard error while this runs.
    let mut out = BufWriter::new(Lenient::new(io::stdout()));
    let mut err = Lenient::new(io::stderr());
    cli::run(env::args_os(), &mut out, &mut err).into()
}
