//! A difference, told as a fixture that can be copied into the table.

use std::fmt::{self, Write as _};

use crate::kernel::{Answer, Setup};

use super::witnesses::{Answers, Said};

/// What a search ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The round of this seed came to it.
    pub seed: u64,
    pub setup: Setup,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A packet that was judged in more than one way, as small as it could be made.
    Packet {
        frame: Vec<u8>,
        answers: Box<Answers>,
    },
    /// All judged alike, but something else was counted.
    Counters(String),
}

impl Found {
    pub fn packet(seed: u64, setup: Setup, frame: Vec<u8>, answers: Answers) -> Self {
        let answers = Box::new(answers);
        let what = What::Packet { frame, answers };
        Self { seed, setup, what }
    }

    pub fn in_counters(seed: u64, setup: Setup, text: String) -> Self {
        let what = What::Counters(text);
        Self { seed, setup, what }
    }

    /// A group of one case, which expects what the model said.
    fn fixture(&self, frame: &[u8], (answer, direction): &Said) -> String {
        let mut text = String::new();
        let rules = list(&self.setup.rules);
        let _ = writeln!(
            text,
            "Group::new(\"found by seed {}\", &[{rules}])",
            self.seed
        );
        let _ = write!(text, "{}", setters(&self.setup));
        let bytes: Vec<String> = frame.iter().map(|byte| format!("0x{byte:02x}")).collect();
        let _ = write!(
            text,
            "    .frame(\"a short description\", vec![{}], {})",
            bytes.join(", "),
            expectation(answer)
        );
        if *direction != "unknown" {
            let _ = write!(text, "\n    .going({direction:?})");
        }
        text
    }
}

fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    quoted.join(", ")
}

/// Everything in force that is not the default.
fn setters(setup: &Setup) -> String {
    let lists = [
        ("never", &setup.never),
        ("tunnels", &setup.tunnels),
        ("nat64", &setup.nat64),
    ];
    let mut text = String::new();
    for (name, entries) in lists.into_iter().filter(|(_, entries)| !entries.is_empty()) {
        let _ = writeln!(text, "    .{name}(&[{}])", list(entries));
    }
    if setup.monitor {
        text.push_str("    .monitor_all()\n");
    }
    if setup.closed {
        text.push_str("    .closed()\n");
    }
    if !["", "ethernet"].contains(&setup.link.as_str()) {
        let _ = writeln!(text, "    .link({:?})", setup.link);
    }
    if !["", "xdp"].contains(&setup.hook.as_str()) || !setup.role.is_empty() {
        let _ = writeln!(text, "    .at({:?}, {:?})", setup.hook, setup.role);
    }
    text
}

fn expectation(answer: &Answer) -> String {
    let side = match answer.side {
        Some("destination") => "TO",
        Some(_) => "FROM",
        None => "None",
    };
    let reason = answer.reason;
    let said = match &answer.indicator {
        Some(indicator) => format!("hit({reason:?}, {side}, {indicator:?})"),
        None if reason == "miss" => "miss()".to_owned(),
        None => format!("spared({reason:?}, {side})"),
    };
    if answer.inner {
        format!("inner({said})")
    } else {
        said
    }
}

impl fmt::Display for Found {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "a difference in the round of seed {}:", self.seed)?;
        match &self.what {
            What::Counters(text) => writeln!(out, "{text}\n{:#?}", self.setup)?,
            What::Packet { frame, answers } => {
                let said = |said: &Said| format!("{:?}, {}", said.0, said.1);
                let program = answers.program.as_ref();
                let program = program.map_or("was not shown it".to_owned(), said);
                writeln!(out, "program  {program}")?;
                writeln!(out, "host     {}", said(&answers.host))?;
                writeln!(out, "model    {}", said(&answers.model))?;
                writeln!(out, "\n{}", self.fixture(frame, &answers.model))?;
            }
        }
        write!(out, "\nagain: cargo xtask fuzz --seed {}", self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_told_as_a_fixture() {
        let setup = Setup {
            rules: vec!["drop 203.0.113.7".to_owned()],
            tunnels: vec!["gre".to_owned()],
            closed: true,
            hook: "tc_egress".to_owned(),
            ..Setup::default()
        };
        let hit = Answer {
            reason: "address",
            side: Some("source"),
            indicator: Some("203.0.113.7/32".to_owned()),
            inner: true,
        };
        let answers = Answers {
            program: None,
            host: (Answer::MISS, "unknown"),
            model: (hit, "reply"),
        };
        let text = Found::packet(9, setup, vec![2, 255], answers).to_string();
        let fixture = "\
Group::new(\"found by seed 9\", &[\"drop 203.0.113.7\"])
    .tunnels(&[\"gre\"])
    .closed()
    .at(\"tc_egress\", \"\")
    .frame(\"a short description\", vec![0x02, 0xff], inner(hit(\"address\", FROM, \"203.0.113.7/32\")))
    .going(\"reply\")";
        assert!(text.contains(fixture), "{text}");
        assert!(text.contains("program  was not shown it"), "{text}");
        assert!(text.ends_with("--seed 9"), "{text}");
    }
}
