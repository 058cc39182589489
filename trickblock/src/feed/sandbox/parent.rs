//! Starts a reader, gives it a body and takes its answer, for so long.

use std::{
    ffi::OsString,
    io::{self, ErrorKind, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    child::PARSE_CHILD,
    stopped::Stopped,
    wire::{
        self,
        decode::{Answer, Asked, Garbled},
    },
};
use crate::feed::Options;

/// A reader has so long, as a fetch has.
const WALL_CLOCK: Duration = Duration::from_secs(60);
/// Bytes of one write. The kernel waits no more than once for so few, so that a time-out holds.
const WRITE: usize = 32 << 10;
/// How long a process may take to end that hung up.
const ENDING: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(2);
/// What the loader may need to find the libraries that this process was started with.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// How a reader is started.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    wall_clock: Duration,
}

impl Program {
    /// This executable, also where a newer one has taken its place on disk.
    pub fn own() -> Self {
        Self::new("/proc/self/exe", [PARSE_CHILD])
    }

    /// Another executable, which has to do what [`super::serve`] does.
    pub fn new<A: Into<OsString>>(
        path: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            path: path.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            wall_clock: WALL_CLOCK,
        }
    }

    /// With another time than a minute to answer in.
    pub fn within(self, wall_clock: Duration) -> Self {
        Self { wall_clock, ..self }
    }

    /// Has a body read by a process that is started for it, and is gone afterwards.
    pub(super) fn read(&self, body: &[u8], options: &Options) -> Result<Answer, Stopped> {
        let (own, theirs) = UnixStream::pair().map_err(Stopped::Start)?;
        let mut reader = self.start(theirs).map_err(Stopped::Start)?;
        let mut stream = Timed {
            stream: own,
            until: Instant::now() + self.wall_clock,
        };
        let asked = Asked {
            lines: body.len().saturating_add(1),
            format: options.format,
        };
        let sent = wire::request::write(&mut stream, body, options);
        let answer = sent
            .map_err(Garbled::Io)
            .and_then(|()| wire::decode::answer(&mut stream, &asked));
        answer.map_err(|garbled| self.explain(garbled, &mut reader))
    }

    fn start(&self, theirs: UnixStream) -> io::Result<Running> {
        let output = theirs.try_clone()?;
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(std::env::var_os(LIBRARIES).map(|path| (LIBRARIES, path)))
            .current_dir("/")
            // A Ctrl-C is for the daemon.
            .process_group(0)
            .stdin(OwnedFd::from(theirs))
            .stdout(OwnedFd::from(output))
            .stderr(Stdio::null());
        // The command holds the other end, and an end of the reader is seen only when that is closed.
        let child = command.spawn();
        drop(command);
        child.map(Running)
    }

    fn explain(&self, garbled: Garbled, reader: &mut Running) -> Stopped {
        match garbled {
            Garbled::Wrong(what) => Stopped::Malformed(what),
            Garbled::Io(error) if is_late(&error) => Stopped::Time(self.wall_clock),
            Garbled::Io(_) => reader
                .end()
                .map_or(Stopped::Malformed("it hung up"), Stopped::of_end),
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A reader, which is gone when this is.
struct Running(Child);

impl Running {
    /// How a process that hung up ended; `None` where it did not.
    fn end(&mut self) -> Option<ExitStatus> {
        let until = Instant::now() + ENDING;
        while Instant::now() < until {
            match self.0.try_wait() {
                Ok(None) => sleep(LOOK),
                ended => return ended.ok().flatten(),
            }
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has answered has nothing more to say.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A stream that is of use until a moment.
struct Timed {
    stream: UnixStream,
    until: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.until.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(ErrorKind::TimedOut.into()),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes.get(..WRITE).unwrap_or(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
