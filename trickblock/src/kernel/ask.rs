//! Packets shown to the loaded program without being sent: by `BPF_PROG_TEST_RUN`.

use std::os::fd::AsFd as _;

use aya::{
    Ebpf,
    programs::{ProgramError, SchedClassifier, TestRun as _, TestRunOptions, TestRunResult, Xdp},
};
use trickblock_common::{
    Direction, Outcome, Reason, Side, Verdict,
    abi::{Event, NO_INDICATOR, event},
};

use super::{Filter, FilterError, Program, filter::load_error, probe::probe};

/// Of a frame, so much can be shown.
const MAX_FRAME: usize = 65_536;

/// The program's verdict on one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    pub reason: Reason,
    pub side: Side,
    /// Id of the indicator.
    pub indicator: Option<u32>,
    /// Said of the packet inside a tunnel.
    pub inner: bool,
    /// By the role of the interface: in a test run, of loopback.
    pub direction: Direction,
}

impl Judged {
    pub(super) const MISS: Self = Self {
        reason: Reason::Miss,
        side: Side::None,
        indicator: None,
        inner: false,
        direction: Direction::Unknown,
    };

    /// As the program, or the same code on the host, says it; `direction` is its number.
    pub fn from_outcome(outcome: Outcome, direction: u8) -> Self {
        let side = Side::ALL.get(usize::from(outcome.side()));
        let direction = Direction::ALL.get(usize::from(direction));
        Self {
            reason: Reason::from_number(outcome.reason()).unwrap_or(Reason::Miss),
            side: side.copied().unwrap_or(Side::None),
            indicator: (outcome.indicator() != NO_INDICATOR).then_some(outcome.indicator()),
            inner: outcome.is_inner(),
            direction: direction.copied().unwrap_or(Direction::Unknown),
        }
    }

    fn from_event(event: &Event) -> Self {
        let outcome = Outcome::of(event.reason, event.side, event.indicator);
        let inner = event.flags & event::INNER != 0;
        Self::from_outcome(
            if inner { outcome.inner() } else { outcome },
            event.direction,
        )
    }
}

impl Filter {
    /// Runs the loaded program on `frame` (at least 14 bytes, of which the first 64 KiB are shown to
    /// it; TC programs take less than a page). Needs [`Self::report_everything`] once before, and nobody
    /// else reading the events.
    pub fn judge(&mut self, program: Program, frame: &[u8]) -> Result<Judged, FilterError> {
        let mut options = TestRunOptions::new();
        options.data_in = Some(&frame[..frame.len().min(MAX_FRAME)]);
        let result = self.run(program, options)?;
        let judged = self.events.pop();
        let judged = judged.map_or(Judged::MISS, |event| Judged::from_event(&event));
        agreed(program, result.return_value, judged)
    }

    /// As [`Self::judge`], but nothing is counted and nothing reported. Only one probe may be under way.
    pub fn probe(&mut self, program: Program, frame: &[u8]) -> Result<Judged, FilterError> {
        let fd = match program {
            Program::Xdp => self.xdp()?.fd(),
            _ => self.classifier(program)?.fd(),
        };
        let fd = fd.and_then(|fd| Ok(fd.try_clone()?));
        let fd = fd.map_err(|error| load_error(&error))?;
        let (returned, judged) = probe(fd.as_fd(), program, &self.maps, 0, frame)?;
        agreed(program, returned, judged)
    }

    fn run(
        &mut self,
        program: Program,
        options: TestRunOptions<'_>,
    ) -> Result<TestRunResult, FilterError> {
        let ran = match program {
            Program::Xdp => self.xdp()?.test_run(options),
            _ => self.classifier(program)?.test_run(options),
        };
        ran.map_err(|error| load_error(&error))
    }
}

/// What a program returns and what it says of it must fit.
fn agreed(program: Program, returned: u32, judged: Judged) -> Result<Judged, FilterError> {
    let dropped = returned == program.drop_code();
    if dropped == (judged.reason.verdict() == Verdict::Drop) {
        return Ok(judged);
    }
    let reason = format!(
        "{} returned {}, but says {}",
        program.name(),
        returned,
        judged.reason.name()
    );
    Err(FilterError::Load { reason, hint: "" })
}

/// The XDP program of an object.
pub(super) fn xdp(ebpf: &mut Ebpf) -> Result<&mut Xdp, FilterError> {
    typed(ebpf, Program::Xdp)
}

/// A TC program of an object, loaded when it is first asked for.
pub(super) fn classifier(
    ebpf: &mut Ebpf,
    program: Program,
) -> Result<&mut SchedClassifier, FilterError> {
    let classifier: &mut SchedClassifier = typed(ebpf, program)?;
    if classifier.fd().is_err() {
        classifier.load().map_err(|error| load_error(&error))?;
    }
    Ok(classifier)
}

fn typed<'a, P>(ebpf: &'a mut Ebpf, program: Program) -> Result<&'a mut P, FilterError>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
{
    let absent = || FilterError::Load {
        reason: format!("no program {} in the object", program.name()),
        hint: "",
    };
    let found = ebpf.program_mut(program.name()).ok_or_else(absent)?;
    found.try_into().map_err(|error| load_error(&error))
}
