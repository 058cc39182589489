//! The three that are asked.

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::{
    kernel::{Answer, Directed, Setup, Twins, counted_since},
    model::Model,
};

use super::Plant;

/// What is said of a packet, and the direction it counts under.
pub type Said = (Answer, &'static str);

/// One answer each. The program is not asked about frames that cannot be shown to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    pub program: Option<Said>,
    pub host: Said,
    pub model: Said,
}

impl Answers {
    pub fn agree(&self) -> bool {
        self.host == self.model
            && (self.program.as_ref()).is_none_or(|program| *program == self.model)
    }
}

/// A loaded program, the same code on the host, and the model, all under the same rules.
pub struct Witnesses {
    twins: Twins,
    model: Model,
    setup: Setup,
    plant: Option<Plant>,
    /// What the program must have counted since [`Self::set`], by the model's word.
    expected: Tally,
    before: Tally,
}

/// Everything that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    counts: Directed,
    hits: BTreeMap<String, u64>,
}

impl Witnesses {
    /// Panics where the kernel refuses the program. `plant` is a bug that one of them shall have.
    pub fn load(plant: Option<Plant>) -> Self {
        Self {
            twins: Twins::load(),
            model: Model::new(&Setup::default()).expect("nothing to refuse"),
            setup: Setup::default(),
            plant,
            expected: Tally::default(),
            before: Tally::default(),
        }
    }

    /// Puts `setup` in force at all three.
    pub fn set(&mut self, setup: &Setup) -> anyhow::Result<()> {
        self.twins.set(setup)?;
        self.model = Model::new(setup)?;
        if self.plant == Some(Plant::Model) {
            self.model = self.model.clone().blind_to_options();
        }
        self.setup = setup.clone();
        self.before = self.read();
        let zero = |name: &String| (name.clone(), 0);
        self.expected = Tally {
            hits: self.before.hits.keys().map(zero).collect(),
            ..Tally::default()
        };
        Ok(())
    }

    /// Asks all three, and has the program count the packet if `counted`.
    pub fn ask(&mut self, frame: &[u8], counted: bool) -> anyhow::Result<Answers> {
        let program = self.program(frame, counted)?;
        let answers = Answers {
            host: self.host(frame)?,
            model: self.model.explain(frame),
            program,
        };
        if counted && answers.program.is_some() {
            self.expect(frame, &answers.model);
        }
        Ok(answers)
    }

    fn program(&mut self, frame: &[u8], counted: bool) -> anyhow::Result<Option<Said>> {
        if !can_be_shown(frame, &self.setup.hook) {
            return Ok(None);
        }
        let said = if counted {
            self.twins.program_in_full(frame)
        } else {
            self.twins.probe(frame)
        };
        said.map(Some)
            .with_context(|| format!("{} shown {frame:02x?}", self.setup.hook))
    }

    fn host(&self, frame: &[u8]) -> anyhow::Result<Said> {
        match self.plant {
            Some(Plant::Host) => self.twins.host_in_full(Plant::seen_by_host(frame)),
            _ => self.twins.host_in_full(frame),
        }
    }

    /// A plain miss is not counted.
    fn expect(&mut self, frame: &[u8], (answer, direction): &Said) {
        if answer.reason == "miss" {
            return;
        }
        let tally = &mut self.expected;
        let key = (answer.reason, answer.side, *direction);
        let (packets, bytes) = tally.counts.entry(key).or_default();
        *packets += 1;
        *bytes += u64::try_from(frame.len()).unwrap_or(u64::MAX);
        if let Some(hits) = (answer.indicator.as_ref()).and_then(|name| tally.hits.get_mut(name)) {
            *hits += 1;
        }
    }

    /// Whether everything was counted as it was sent, once all answers agree; else what was not.
    pub fn check_counters(&self) -> Result<(), String> {
        let after = self.read();
        let counted = Tally {
            counts: counted_since(&self.before.counts, &after.counts),
            hits: after.hits,
        };
        if counted == self.expected {
            return Ok(());
        }
        Err(format!(
            "counted  {counted:?}\nexpected {:?}",
            self.expected
        ))
    }

    fn read(&self) -> Tally {
        Tally {
            counts: self.twins.counts(),
            hits: self.twins.hits(),
        }
    }
}

/// The kernel's test runs take frames from the length of an Ethernet header on. For TC it must hold
/// something behind it, which is as long as an IP header where the type says that it is one, and a page
/// is the limit.
fn can_be_shown(frame: &[u8], hook: &str) -> bool {
    if !hook.starts_with("tc") {
        return frame.len() >= 14;
    }
    let least = match frame.get(12..14) {
        Some([0x08, 0x00]) => 14 + 20,
        Some([0x86, 0xdd]) => 14 + 40,
        _ => 15,
    };
    (least..=3_000).contains(&frame.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_agree_only_where_all_do() {
        let miss = (Answer::MISS, "unknown");
        let mut answers = Answers {
            program: None,
            host: miss.clone(),
            model: miss.clone(),
        };
        assert!(answers.agree());
        answers.program = Some((Answer::MISS, "out"));
        assert!(!answers.agree());
        answers.program = Some(miss);
        assert!(answers.agree());
        answers.host.0.inner = true;
        assert!(!answers.agree());
    }

    #[test]
    fn what_a_test_run_takes() {
        let shown = |length, hook| can_be_shown(&vec![0; length], hook);
        assert!(!shown(13, "xdp") && shown(14, "xdp") && shown(9_000, "xdp"));
        assert!(!shown(14, "tc_egress") && shown(15, "tc_egress") && !shown(9_000, "tc_ingress"));
        let v6 = [&[0; 12], &[0x86, 0xdd][..], &[0; 40]].concat();
        assert!(can_be_shown(&v6, "tc_ingress") && !can_be_shown(&v6[..53], "tc_ingress"));
    }
}
