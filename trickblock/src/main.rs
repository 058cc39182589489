use std::{
    env,
    io::{self, BufWriter},
    process::ExitCode,
};

use trickblock::cli::{self, output::Lenient};

fn main() -> ExitCode {
    let mut out = BufWriter::new(Lenient::new(io::stdout().lock()));
    let mut err = Lenient::new(io::stderr().lock());
    cli::run(env::args_os(), &mut out, &mut err).into()
}
