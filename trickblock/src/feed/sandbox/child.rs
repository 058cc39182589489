//! The process that reads one body.

use std::{
    cell::RefCell,
    ffi::OsStr,
    io::{self, Read, Write},
    process::ExitCode,
    rc::Rc,
};

use super::{
    confine::{Limits, Missing, Unconfined, confine},
    wire,
};
use crate::feed::{self, Row};

/// The argument that makes the executable a reader. Only the daemon uses it.
pub const PARSE_CHILD: &str = "parse-child";

/// Exit codes; a panic is 101.
pub(super) const UNCONFINED: u8 = 3;
pub(super) const UNASKED: u8 = 4;

/// Standard input and output, past the buffers of the standard library: the former would read what
/// belongs to the body, the latter looks for ends of lines.
struct Parent;

/// Confines this process, then reads one request from standard input and answers on standard output.
/// `None` where the arguments (program name first) do not ask for a reader.
pub fn serve<'a>(arguments: impl IntoIterator<Item = &'a OsStr>) -> Option<ExitCode> {
    let asked = arguments.into_iter().nth(1)?;
    (asked == PARSE_CHILD).then(|| match confine(&Limits::READER) {
        Ok(missing) => answer(missing),
        Err(unconfined) => refuse(&unconfined),
    })
}

fn refuse(unconfined: &Unconfined) -> ExitCode {
    // Standard error is nowhere, unless somebody tried this by hand.
    let _ = writeln!(io::stderr(), "trickblock: {unconfined}");
    UNCONFINED.into()
}

fn answer(missing: Missing) -> ExitCode {
    let Ok((body, options)) = wire::request::read(&mut Parent) else {
        return UNASKED.into();
    };
    let answer = Rc::new(RefCell::new(wire::encode::Answer::new(Parent, missing)));
    let taking = Rc::clone(&answer);
    // A parent that is gone is found out at the end.
    let take = move |rows: &[Row]| drop(taking.borrow_mut().rows(rows));
    let content = feed::read(&body, &options, Some(Box::new(take)));
    let done = answer.borrow_mut().end(&content);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

impl Read for Parent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(rustix::stdio::stdin(), buffer)?)
    }
}

impl Write for Parent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(rustix::stdio::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
