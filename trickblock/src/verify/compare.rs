//! Shows the packets, and compares what is said with what must be said.

use std::{collections::BTreeSet, fmt::Write as _};

use trickblock_common::Verdict;

use super::{
    Class, Options, Report, State,
    forms::{Probe, Round, Stand, Subject},
    report::{Difference, ProgramReport},
    rules::Rules,
    sample, seats,
};
use crate::{
    indicator::Indicator,
    kernel::{Described, FilterError, Judged, Prober, Program, Said, Seat},
};

const FIX: &str = "run `trickblock reload`, which writes the rules anew; if it is the same after that, restart the daemon; and report this line with its packet, for the filter is wrong";
/// Indicators that are asked for once each, besides those of the sample.
const EACH_ONCE: usize = 100_000;
/// Subjects at hooks whose program has been looked at before.
const AGAIN: usize = 6;

/// Everything that stays the same.
pub(super) struct Run<'a> {
    prober: &'a Prober,
    rules: &'a Rules,
    state: &'a State,
    subjects: Vec<Subject<'a>>,
    quiet: [std::net::IpAddr; 2],
    options: Options,
}

/// Where packets are shown now.
struct Place<'a> {
    name: Option<&'a str>,
    hook: Option<&'static str>,
    index: u32,
    program: Program,
    seated: Option<u32>,
    described: Described,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        prober: &'a Prober,
        rules: &'a Rules,
        state: &'a State,
        options: Options,
    ) -> Self {
        Self {
            prober,
            rules,
            state,
            subjects: sample::subjects(rules, options.seed, options.all),
            quiet: sample::quiet(rules),
            options,
        }
    }

    /// Every class at every hook; at the pinned programs, where there is no hook.
    pub(super) fn all(
        &self,
        seats: &[Seat],
        report: &mut Report,
        progress: &mut dyn FnMut(&str),
    ) -> Result<(), FilterError> {
        report.sampled = self
            .subjects
            .iter()
            .filter(|subject| subject.entry.is_some())
            .count();
        let mut seen = BTreeSet::new();
        for place in self.places(seats) {
            let fresh = seen.insert(place.program);
            progress(&format!(
                "{} on {}",
                place.program.name(),
                place.name.unwrap_or("no interface")
            ));
            self.place(&place, fresh, report)?;
        }
        Ok(())
    }

    fn places<'s>(&self, seats: &'s [Seat]) -> Vec<Place<'s>> {
        let place = |seat: &'s Seat| Place {
            name: Some(&seat.attached.name),
            hook: Some(seat.attached.hook.name()),
            index: seat.attached.ifindex,
            program: seat.program,
            seated: seat.seated,
            described: seats::described(self.state, seat.attached.ifindex),
        };
        if !seats.is_empty() {
            return seats.iter().map(place).collect();
        }
        // The kernel shows packets on the loopback interface then.
        let nowhere = |program| Place {
            name: None,
            hook: None,
            index: 0,
            program,
            seated: None,
            described: seats::described(self.state, LOOPBACK),
        };
        [Program::Xdp, Program::TcEgress].map(nowhere).into()
    }

    fn place(
        &self,
        place: &Place<'_>,
        fresh: bool,
        report: &mut Report,
    ) -> Result<(), FilterError> {
        report.programs.push(ProgramReport {
            interface: place.name.map(str::to_owned),
            ifindex: place.index,
            hook: place.hook.map(str::to_owned),
            program: place.program.name(),
            id: place.seated,
            pinned_id: self.prober.id(place.program)?,
            probes: 0,
            wrong: 0,
        });
        if fresh {
            self.each_once(place, report)?;
        }
        let most = if fresh { usize::MAX } else { AGAIN };
        let listed = self.subjects.iter().take(most);
        for (at, subject) in listed.chain(self.subjects.last()).enumerate() {
            let other = self.subjects[(at + 1) % self.subjects.len()];
            for class in Class::ALL {
                let round = Round::new(
                    self.rules,
                    stand(place.program),
                    *subject,
                    other,
                    self.quiet,
                );
                let probes = round.probes(*class);
                self.show(place, *class, subject, &probes, report)?;
            }
        }
        Ok(())
    }

    /// Each indicator by itself.
    fn each_once(&self, place: &Place<'_>, report: &mut Report) -> Result<(), FilterError> {
        let entries = self.rules.entries();
        for entry in sample::every(entries, EACH_ONCE, self.options.seed) {
            let subject = sample::subject(entry, self.quiet, self.options.seed);
            let class = if subject.address.is_ipv6() {
                Class::ExactV6
            } else {
                Class::ExactV4
            };
            let round = Round::new(
                self.rules,
                stand(place.program),
                subject,
                subject,
                self.quiet,
            );
            self.show(place, class, &subject, &round.once(), report)?;
        }
        Ok(())
    }

    fn show(
        &self,
        place: &Place<'_>,
        class: Class,
        subject: &Subject<'_>,
        probes: &[Probe],
        report: &mut Report,
    ) -> Result<(), FilterError> {
        let egress = place.program.is_egress();
        for probe in probes {
            let expected = self.rules.expect(&probe.content, &place.described, egress);
            let said = self.prober.ask(place.program, place.index, &probe.frame)?;
            let right = said.judged == expected
                && said.dropped == (expected.reason.verdict() == Verdict::Drop);
            report.count(class, !right);
            if !right {
                report.add(self.difference(place, class, subject, probe, [expected.into(), said]));
            }
        }
        Ok(())
    }

    fn difference(
        &self,
        place: &Place<'_>,
        class: Class,
        subject: &Subject<'_>,
        probe: &Probe,
        [expected, said]: [Said; 2],
    ) -> Difference {
        let indicator = subject.entry.map(|entry| entry.indicator.to_string());
        Difference {
            class: class.name(),
            what: format!("{}: {}", subject.address, probe.what),
            interface: place.name.map(str::to_owned),
            program: Some(place.program.name()),
            packet: Some(hexadecimal(&probe.frame)),
            expected: self.told(expected),
            got: self.told(said),
            indicator,
            fix: FIX,
        }
    }

    /// `drop (address, destination, 203.0.113.7/32, direction out)`
    fn told(&self, Said { judged, dropped }: Said) -> String {
        let mut text = judged.reason.name().to_owned();
        let indicator = judged.indicator.map(|id| self.named(id));
        let side = judged.side.name().map(str::to_owned);
        for part in [side, indicator].into_iter().flatten() {
            let _ = write!(text, ", {part}");
        }
        if judged.inner {
            text.push_str(", inside a tunnel");
        }
        let verdict = if dropped { "drop" } else { "pass" };
        format!("{verdict} ({text}, direction {})", judged.direction.name())
    }

    fn named(&self, id: u32) -> String {
        let mut entries = self.rules.entries().iter();
        let entry = entries.find(|entry| entry.id == id);
        entry.map_or_else(
            || format!("an indicator that is not listed (number {id})"),
            |entry| Indicator::to_string(&entry.indicator),
        )
    }
}

impl From<Judged> for Said {
    fn from(judged: Judged) -> Self {
        let dropped = judged.reason.verdict() == Verdict::Drop;
        Self { judged, dropped }
    }
}

impl Report {
    fn count(&mut self, class: Class, wrong: bool) {
        let wrong = u64::from(wrong);
        if let Some(program) = self.programs.last_mut() {
            program.probes += 1;
            program.wrong += wrong;
        }
        let counted = &mut self.classes[class as usize];
        counted.probes += 1;
        counted.wrong += wrong;
    }
}

const LOOPBACK: u32 = 1;

const fn stand(program: Program) -> Stand {
    Stand {
        link: program.link(),
        tc: !matches!(program, Program::Xdp),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
