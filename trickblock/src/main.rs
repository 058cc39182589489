use std::{
    env,
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use trickblock::cli::{self, output::Lenient};

fn main() -> ExitCode {
    let mut out = BufWriter::new(Lenient::new(io::stdout().lock()));
    let mut err = Lenient::new(io::stderr().lock());
    let exit = cli::run(env::args_os(), &mut out, &mut err);
    match out.flush() {
        Ok(()) => exit.into(),
        Err(error) => cli::failed(&mut err, &error).into(),
    }
}
