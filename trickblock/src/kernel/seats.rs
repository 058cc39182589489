//! What really sits where: asked of the kernel, to be compared with the pinned programs.

use super::{Attached, FilterError, Hooks, Program, netlink};

/// A hook of an interface that is ours.
#[derive(Clone, Debug)]
pub struct Seat {
    pub attached: Attached,
    /// Which program belongs there.
    pub program: Program,
    /// Id of the one that is there, where the kernel tells.
    pub seated: Option<u32>,
}

impl Hooks {
    /// Every hook in this network namespace that is ours, by interface name.
    pub fn seats(&self) -> Result<Vec<Seat>, FilterError> {
        let mut seats = Vec::new();
        for place in self.places()?.into_iter().filter(|place| place.here) {
            let failed = FilterError::io("query interface", &place.name);
            let interface = netlink::interface_by_index(place.ifindex).map_err(failed)?;
            // One that is just going away, or is of another kind now, is for `status` to tell.
            let Some(frame) = interface.and_then(|interface| interface.frame) else {
                continue;
            };
            seats.push(Seat {
                attached: place.attached(),
                program: Program::of(place.hook, frame),
                seated: place.program,
            });
        }
        Ok(seats)
    }
}
