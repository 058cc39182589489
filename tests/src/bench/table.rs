//! The report for people.

use std::fmt::Write as _;

use super::{
    host::Rate,
    lookup::Row,
    report::{Goal, Report},
    stats::Summary,
};

/// Rows, updates, and the goals last.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    let machine = &report.machine;
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "\nkernel {}, {} × {}, load {} before the run",
        machine.kernel, machine.cpus, machine.cpu, machine.load
    );
    rows(&mut text, &report.rows);
    host(&mut text, &report.host);
    updates(&mut text, report);
    for goal in report.goals() {
        let _ = writeln!(text, "{}", line(&goal));
    }
    if let Some(error) = &report.error {
        let _ = writeln!(text, "NOT finished: {error}");
    }
    let _ = writeln!(text, "took {:.0} s", report.duration.as_secs_f64());
    text
}

fn rows(text: &mut String, rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{:<11} {:<11} {:>10} {:>9} {:>15} {:>8} {:>8} {:>7}",
        "program", "corpus", "indicators", "ns/packet", "min – max", "net ns", "× parse", "Mpps"
    );
    for row in rows {
        let Summary { median, min, max } = row.ns_per_packet;
        let indicators = row.target.indicators();
        let _ = writeln!(
            text,
            "{:<11} {:<11} {:>10} {:>9.1} {:>15} {:>8.1} {:>8.2} {:>7.1}",
            row.target.name(),
            row.corpus.name(),
            indicators.map_or_else(|| "–".to_owned(), |count| count.to_string()),
            median,
            format!("{min:.1} – {max:.1}"),
            row.net_ns,
            row.ratio_to_parse_pass,
            1e3 / median,
        );
    }
    let _ = writeln!(
        text,
        "medians of {} rounds; net: minus bare_pass; × parse: gross, to parse_pass of the same round",
        rows.iter().map(|row| row.rounds).max().unwrap_or(0)
    );
}

fn host(text: &mut String, rates: &[Rate]) {
    if rates.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{:<11} {:<11} {:>10} {:>13} {:>15}",
        "host", "corpus", "indicators", "M packets/s", "min – max"
    );
    for rate in rates {
        let Summary { median, min, max } = rate.packets_per_second;
        let _ = writeln!(
            text,
            "{:<11} {:<11} {:>10} {:>13.1} {:>15}",
            format!("{:?}", rate.family),
            rate.flows.name(),
            rate.indicators,
            median / 1e6,
            format!("{:.1} – {:.1}", min / 1e6, max / 1e6),
        );
    }
    let _ = writeln!(
        text,
        "the shared code on a copy of the table, one core, CPU time"
    );
}

fn updates(text: &mut String, report: &Report) {
    let figures = [
        ("swap of 100 k indicators", &report.swap_100k_ms, "ms"),
        ("swap of 1 M indicators", &report.swap_1m_ms, "ms"),
        (
            "100 k rows from text to attached",
            &report.text_to_attached_100k_s,
            "s",
        ),
        (
            "daemon's private memory at 100 k",
            &report.daemon_private_mib_100k,
            "MiB",
        ),
    ];
    let _ = writeln!(text);
    for (what, figure, unit) in figures {
        let Some(Summary { median, min, max }) = figure else {
            continue;
        };
        let _ = writeln!(
            text,
            "{what:<34} {median:>8.2} {unit} ({min:.2} – {max:.2})"
        );
    }
    let _ = writeln!(text);
}

fn line(goal: &Goal) -> String {
    let Goal {
        what,
        limit,
        unit,
        value,
        ..
    } = goal;
    let measured = value.map_or_else(
        || "not measured".to_owned(),
        |value| format!("{value:.2} {unit}"),
    );
    let verdict = match goal.met() {
        Some(true) => "met",
        Some(false) => "NOT met",
        None => "NOT measured",
    };
    let bound = if goal.at_least { "≥" } else { "≤" };
    format!("{verdict:<12} {what}: {measured}, goal {bound} {limit} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_has_its_line_whatever_was_measured() {
        let report = Report {
            text_to_attached_100k_s: Summary::of([0.4]),
            daemon_private_mib_100k: Summary::of([65.0]),
            error: Some("a reason".to_owned()),
            ..Report::default()
        };
        let text = table(&report);
        assert!(text.contains("NOT measured PASS with 100 k"), "{text}");
        assert!(
            text.contains("met          100 k indicators from text"),
            "{text}"
        );
        assert!(
            text.contains("NOT met      the daemon's private memory"),
            "{text}"
        );
        assert!(text.contains("NOT finished: a reason"), "{text}");
    }
}
