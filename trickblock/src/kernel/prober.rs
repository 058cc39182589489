//! The pinned programs of a running filter, asked for their verdicts.

use std::fs::File;

use super::{
    FilterError, Judged, Maps, Pins, Program, check_privilege, probe::probe, programs::Programs,
    sys,
};

/// All that it takes to ask; only one process has it at a time, since answers have one place.
pub struct Prober {
    pub maps: Maps,
    programs: Programs,
    _turn: File,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    pub judged: Judged,
    /// Whether the program returned what drops a packet.
    pub dropped: bool,
}

impl Prober {
    /// Opens what is pinned, once whoever probes there now is done.
    pub fn open(pins: &Pins) -> Result<Self, FilterError> {
        check_privilege()?;
        Ok(Self {
            maps: Maps::open(pins)?,
            programs: Programs::pinned(pins)?,
            _turn: pins.take_turn()?,
        })
    }

    /// The id of a pinned program.
    pub fn id(&self, program: Program) -> Result<u32, FilterError> {
        sys::program_id(self.programs.get(program))
            .map_err(FilterError::io("query program", program.name()))
    }

    /// What a pinned program says of a frame on the interface with this index. Frames have at least
    /// 15 bytes; TC programs take less than a page.
    pub fn ask(&self, program: Program, interface: u32, frame: &[u8]) -> Result<Said, FilterError> {
        let fd = self.programs.get(program);
        let (returned, judged) = probe(fd, program, &self.maps, interface, frame)?;
        let dropped = returned == program.drop_code();
        Ok(Said { judged, dropped })
    }
}
