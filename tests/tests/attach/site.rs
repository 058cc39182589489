//! One filtered interface: a wire, a pin directory, and two servers that are listed.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use trickblock::{
    kernel::{Attached, Capacity, Filter, FilterError, Hooks, ModeChoice},
    table::Entry,
};
use trickblock_tests::{
    kernel::{PinDir, entries},
    wire::Wire,
};

pub const C2: &str = "203.0.113.7";
pub const C2_6: &str = "2001:db8:c2::7";
pub const BENIGN: &str = "203.0.113.8";

/// The wire comes first: a link must be gone before its namespace is.
pub struct Site {
    pub pins: PinDir,
    pub wire: Wire,
    interface: String,
}

impl Site {
    pub fn new(interface: &str) -> Self {
        Self {
            pins: PinDir::new(),
            wire: Wire::new(interface),
            interface: interface.to_owned(),
        }
    }

    /// A filter with both servers listed, attached nowhere.
    pub fn load(&self, capacity: Capacity) -> Filter {
        let filter = Filter::load(&self.pins.pins(), capacity).unwrap();
        filter.maps.swap(&rules(), &[0, 1], 7).unwrap();
        filter
    }

    /// Runs `work` where the interface is.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.wire.inside.run(work).unwrap()
    }

    /// What sees arriving packets.
    pub fn attach(&self, filter: &mut Filter, choice: ModeChoice) -> Result<Attached, FilterError> {
        self.attach_to(filter, &self.interface, choice)
    }

    /// As [`Self::attach`], to another interface.
    pub fn attach_to(
        &self,
        filter: &mut Filter,
        interface: &str,
        choice: ModeChoice,
    ) -> Result<Attached, FilterError> {
        let attached = self.inside(|| filter.attach(interface, choice))?;
        let hooks: Vec<&str> = attached.iter().map(|on| on.hook.name()).collect();
        assert_eq!(hooks, ["xdp", "tcx-egress"]);
        assert_eq!(attached[0].adopted, attached[1].adopted);
        Ok(attached.into_iter().next().unwrap())
    }

    /// Names of the interfaces that are filtered.
    pub fn attached(&self, hooks: &Hooks) -> Vec<String> {
        let attached = self.inside(|| hooks.attached()).unwrap();
        let mut names: Vec<String> = attached.into_iter().map(|on| on.name).collect();
        names.dedup();
        names
    }

    /// The kernel frees a closed link a moment later.
    pub fn wait_for_xdp_mode(&self, mode: &str) {
        let start = Instant::now();
        while self.xdp_mode() != mode {
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "still {}",
                self.xdp_mode()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What `ip` calls the attachment: `xdp`, `xdpgeneric`, or nothing.
    pub fn xdp_mode(&self) -> String {
        let mut command = Command::new("ip");
        command.args([
            "-n",
            self.wire.inside.name(),
            "-o",
            "link",
            "show",
            "dev",
            &self.interface,
        ]);
        let shown = command.output().unwrap().stdout;
        let shown = String::from_utf8(shown).unwrap();
        let words = shown.split([' ', '/']);
        words
            .into_iter()
            .find(|word| word.starts_with("xdp"))
            .unwrap_or_default()
            .to_owned()
    }
}

pub fn rules() -> Vec<Entry> {
    entries(&["drop 203.0.113.7", "drop 2001:db8:c2::7"]).unwrap()
}
