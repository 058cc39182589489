//! The end of the demo, for people.

use std::{fmt::Write as _, time::Duration};

use super::report::{Count, Phase, Report, kernel, names};

/// A table of the phases, bars of before and after, and the verdict.
pub fn summary(report: &Report) -> String {
    let mut text = String::from(
        "\n                    listed C2s         other C2s          benign hosts\n\
         phase              sent  arrived      sent  arrived      sent  arrived\n",
    );
    for phase in &report.phases {
        text += &row(phase);
    }
    text += "\n";
    let (off, on) = (report.count(names::UNFILTERED), report.count(names::LIVE));
    text += &bar("C2 packets that arrive, filter off", off.passing);
    text += &bar("C2 packets that arrive, filter on", on.blocked);
    text += &bar("benign packets that arrive, filter on", on.benign);
    text += "\n";
    text += &facts(report);
    text += &verdict(report);
    text
}

const BAR: usize = 30;

fn row(phase: &Phase) -> String {
    let cell = |count: Count| match count.sent {
        0 => format!("{:>5} {:>8}", "-", "-"),
        sent => format!("{sent:>5} {:>8}", count.delivered),
    };
    let (blocked, passing, benign) = (cell(phase.blocked), cell(phase.passing), cell(phase.benign));
    format!("{:<17} {blocked}    {passing}    {benign}\n", phase.name)
}

/// A packet that arrives shows, however few: only zero leaves the bar empty.
fn bar(title: &str, count: Count) -> String {
    let full = match count.sent {
        0 => 0,
        sent => (count.delivered * BAR).div_ceil(sent).min(BAR),
    };
    let (marks, dots) = ("#".repeat(full), ".".repeat(BAR - full));
    format!(
        "{title:<38} {marks}{dots} {:>4} of {}\n",
        count.delivered, count.sent
    )
}

fn facts(report: &Report) -> String {
    let unknown = || "unknown".to_owned();
    let time = |time: Option<Duration>| time.map_or_else(unknown, |time| format!("{time:.0?}"));
    let indicators = report
        .indicators
        .map_or_else(unknown, |count| count.to_string());
    let mode = report.xdp_mode.clone().unwrap_or_else(unknown);
    let mut text = String::new();
    let lines = [
        ("new C2 in the feed → blocked", time(report.time_to_block)),
        (
            "C2 gone from the feed → passes",
            time(report.time_to_unblock),
        ),
        ("feed asked every", format!("{:?}", report.poll_interval)),
        (
            "feed answers",
            format!(
                "{} full, {} not modified",
                report.requests.full, report.requests.not_modified
            ),
        ),
        ("indicators", indicators),
        ("XDP mode", mode),
        ("kernel", kernel()),
    ];
    for (name, value) in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<32} {value}");
    }
    text
}

fn verdict(report: &Report) -> String {
    let failures = report.failures();
    if failures.is_empty() {
        return format!(
            "\nPASSED in {:.1?}: every listed C2 was cut off, nobody else was.\n",
            report.duration
        );
    }
    let mut text = format!("\nFAILED after {:.1?}:\n", report.duration);
    for failure in failures {
        let _ = writeln!(text, "  * {failure}");
    }
    if !report.log.is_empty() {
        let _ = writeln!(text, "\nthe daemon's log:\n{}", report.log);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_leaked_packet_shows_in_the_bar() {
        let bar = |sent, delivered| bar("", Count { sent, delivered });
        assert!(bar(10_000, 1).contains(" #...."));
        assert!(!bar(200, 0).contains('#'));
        assert!(!bar(200, 200).contains('.'));
        assert!(!bar(0, 0).contains('#'));
    }

    #[test]
    fn failures_and_phases_are_listed() {
        let blocked = Count {
            sent: 200,
            delivered: 3,
        };
        let phases = vec![Phase {
            name: names::LIVE,
            blocked,
            ..Phase::default()
        }];
        let text = summary(&Report {
            phases,
            ..Report::default()
        });
        assert!(
            text.contains("filter on           200        3        -        -"),
            "{text}"
        );
        assert!(
            text.contains("phase `filter on`: 3 packets of listed C2s arrived"),
            "{text}"
        );
        assert!(text.contains("FAILED"), "{text}");
    }
}
