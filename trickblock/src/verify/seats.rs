//! Whether what is attached is what is pinned, and what the daemon says is what is in force.

use ipnet::IpNet;

use super::{Report, State, report::Difference};
use crate::{
    kernel::{Attached, Described, FilterError, Hooks, Prober, Seat},
    observe::{Status, overtaken_at},
    policy::Guard,
    table::{Entry, fingerprint, never_block_fingerprint},
};

const RESTART: &str = "restart the daemon: it puts its programs behind every hook, and what it knows of each interface into their map";
const RELOAD: &str = "run `trickblock reload`, which writes the rules anew; if that does not help, restart the daemon and look at its log";

/// Each hook: the pinned program, and an interface that the programs know as one with this hook.
pub(super) fn check(
    prober: &Prober,
    seats: &[Seat],
    state: &State,
    report: &mut Report,
) -> Result<(), FilterError> {
    for seat in seats {
        let pinned = prober.id(seat.program)?;
        if seat.seated.is_some_and(|seated| seated != pinned) {
            let seated = seat.seated.unwrap_or_default();
            attachment(
                report,
                seat,
                [format!("program {pinned}"), format!("program {seated}")],
            );
        }
    }
    for seat in seats.iter().filter(|seat| !seat.attached.hook.is_egress()) {
        if !described(state, seat.attached.ifindex).ingress {
            let said = ["arrivals are judged", "arrivals are not judged"].map(str::to_owned);
            interface(report, &seat.attached.name, said);
        }
    }
    for (index, is) in state.interfaces.iter().filter(|(_, is)| is.ingress) {
        let on = |seat: &&Seat| seat.attached.ifindex == *index && !seat.attached.hook.is_egress();
        let here = seats.iter().any(|seat| seat.attached.ifindex == *index);
        if is.ingress && here && !seats.iter().any(|seat| on(&seat)) {
            let name = seats.iter().find(|seat| seat.attached.ifindex == *index);
            let name = name.map_or_else(String::new, |seat| seat.attached.name.clone());
            let said = ["arrivals are not judged", "arrivals are judged"].map(str::to_owned);
            interface(report, &name, said);
        }
    }
    compiled_in(&state.never, report);
    if !prober.maps.is_summed_up()? {
        let said = ["what the list says", "something else"].map(str::to_owned);
        report.differs(
            "never_block_list",
            "the summary of the list, by /16",
            said,
            RELOAD,
        );
    }
    Ok(())
}

/// What the programs know of an interface.
pub(super) fn described(state: &State, index: u32) -> Described {
    let known = state.interfaces.iter().find(|(known, _)| *known == index);
    known.map_or_else(Described::default, |(_, described)| *described)
}

fn attachment(report: &mut Report, seat: &Seat, [expected, got]: [String; 2]) {
    report.add(Difference {
        class: "attachment",
        what: format!(
            "what sits on {} is not what is pinned",
            seat.attached.hook.name()
        ),
        interface: Some(seat.attached.name.clone()),
        program: Some(seat.program.name()),
        packet: None,
        expected,
        got,
        indicator: None,
        fix: RESTART,
    });
}

fn interface(report: &mut Report, name: &str, [expected, got]: [String; 2]) {
    report.add(Difference {
        class: "interfaces",
        what: "what the programs know of an interface".to_owned(),
        interface: Some(name.to_owned()),
        program: None,
        packet: None,
        expected,
        got,
        indicator: None,
        fix: RESTART,
    });
}

/// Nobody may take these from the list.
fn compiled_in(never: &[(IpNet, u32)], report: &mut Report) {
    for (prefix, value) in Guard::compiled_in().protected_values() {
        let covered = never
            .iter()
            .any(|(held, class)| *class == value && held.contains(&prefix));
        if !covered {
            let said = [format!("{prefix} is on the list"), "it is not".to_owned()];
            report.differs(
                "never_block_list",
                "a prefix that is never blocked",
                said,
                RELOAD,
            );
        }
    }
}

/// Hits are counted by these numbers.
pub(super) fn numbers(entries: &[Entry], report: &mut Report) {
    let mut numbers: Vec<u32> = entries.iter().map(|entry| entry.id).collect();
    numbers.sort_unstable();
    let shared = numbers.windows(2).filter(|pair| pair[0] == pair[1]).count();
    if shared > 0 {
        let said = [
            "each has its own".to_owned(),
            format!("{shared} are shared"),
        ];
        report.differs("table", "the numbers of the indicators", said, RELOAD);
    }
}

/// Against what the daemon says.
pub(super) fn compare_told(told: &Status, state: &State, entries: &[Entry], report: &mut Report) {
    let pairs = [
        (
            "table",
            "the rules in force",
            &told.fingerprint,
            fingerprint(entries),
        ),
        (
            "never_block_list",
            "the never-block list in force",
            &told.never_block_fingerprint,
            never_block_fingerprint(&state.never),
        ),
    ];
    for (class, what, expected, got) in pairs {
        if *expected != got {
            report.differs(class, what, [expected.clone(), got], RELOAD);
        }
    }
    let action = if state.monitor { "monitor" } else { "drop" };
    if told.action != action {
        let said = [told.action.clone(), action.to_owned()];
        report.differs("table", "what is done with what is listed", said, RESTART);
    }
    for told in &told.interfaces {
        report.problems.extend(told.gaps());
        if !told.attached {
            let note = told.note.as_deref().unwrap_or("not attached");
            report
                .problems
                .push(format!("interface {}: {note}", told.name));
        }
        let Some(index) = told.ifindex else {
            continue;
        };
        let known = described(state, index);
        let role = told.role.as_deref().unwrap_or("unknown");
        let said = |role: &str, closed: bool| {
            format!("role {role}{}", if closed { ", fail-closed" } else { "" })
        };
        let (expected, got) = (
            said(role, told.fail_closed),
            said(known.role.name(), known.fail_closed),
        );
        if expected != got {
            interface(report, &told.name, [expected, got]);
        }
    }
    nowhere(report, told.interfaces.iter().any(|told| told.attached));
}

/// What is missing, where no daemon says what is wanted.
pub(super) fn check_alone(hooks: &Hooks, report: &mut Report) -> Result<(), FilterError> {
    let seats = hooks.seats()?;
    for seat in &seats {
        let Attached {
            name, hook, ahead, ..
        } = &seat.attached;
        if !ahead.is_empty() {
            report.problems.push(overtaken_at(name, hook.name(), ahead));
        }
        let same = |other: &&Seat| {
            other.attached.name == *name
                && other.attached.hook.is_egress() != seat.attached.hook.is_egress()
        };
        if !seats.iter().any(|other| same(&other)) {
            let missing = if seat.attached.hook.is_egress() {
                "arrives"
            } else {
                "leaves"
            };
            report
                .problems
                .push(format!("interface {name}: what {missing} is not filtered"));
        }
    }
    for name in hooks.switched_off() {
        report
            .problems
            .push(format!("interface {name}: switched off"));
    }
    elsewhere(hooks, report)?;
    nowhere(report, !seats.is_empty());
    Ok(())
}

/// What is filtered, but cannot be looked at from here.
pub(super) fn elsewhere(hooks: &Hooks, report: &mut Report) -> Result<(), FilterError> {
    for name in hooks.elsewhere()? {
        report.problems.push(format!(
            "interface {name}: in another network namespace, where `trickblock verify` can look at it"
        ));
    }
    Ok(())
}

fn nowhere(report: &mut Report, attached: bool) {
    if !attached && report.problems.is_empty() {
        report
            .problems
            .push("the filter is on no interface".to_owned());
    }
}
