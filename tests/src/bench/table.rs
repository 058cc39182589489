//! The report for people.

use std::fmt::Write as _;

use super::{
    goal::Goal, goals::goals, host::Rate, report::Report, row::Row, stats::Summary, target::Method,
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
    drops(&mut text, &report.rows);
    host(&mut text, &report.host);
    updates(&mut text, report);
    for goal in goals(report) {
        let _ = writeln!(text, "{}", line(&goal));
    }
    if let Some(error) = &report.error {
        let _ = writeln!(text, "NOT finished: {error}");
    }
    let _ = writeln!(text, "took {:.0} s", report.duration.as_secs_f64());
    text
}

fn rows(text: &mut String, rows: &[Row]) {
    let mut rows = rows
        .iter()
        .filter(|row| row.method == Method::TestRun)
        .peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{:<12} {:<11} {:>10} {:>9} {:>17} {:>8} {:>8} {:>7}",
        "program", "corpus", "indicators", "ns/packet", "min – max", "net ns", "× parse", "Mpps"
    );
    let mut shown = None;
    for row in rows {
        let (target, corpus) = (row.target.name(), row.corpus.name());
        let this = (target, corpus, row.ns());
        if row.measured.is_some() && shown.replace(this) == Some(this) {
            // Measured once for all sizes.
            continue;
        }
        let _ = write!(text, "{target:<12} {corpus:<11} {:>10} ", row.indicators);
        let Some(measured) = &row.measured else {
            let _ = writeln!(text, "{:>9} {}", "–", row.note);
            continue;
        };
        let Summary { median, min, max } = measured.ns;
        let _ = writeln!(
            text,
            "{median:>9.1} {:>17} {:>8.1} {:>8.2} {:>7.1}",
            format!("{min:.1} – {max:.1}"),
            measured.net_ns,
            measured.to_parse_pass.unwrap_or(f64::NAN),
            1e3 / median,
        );
    }
    let _ = writeln!(
        text,
        "medians; net: minus bare_pass; × parse: gross, to parse_pass of the same round"
    );
}

fn drops(text: &mut String, rows: &[Row]) {
    let mut rows = rows
        .iter()
        .filter(|row| row.method == Method::Veth)
        .peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{:<12} {:<8} {:>10} {:>9} {:>19} {:>7} {:>9} {:>7} {:>7}",
        "veth, drop",
        "corpus",
        "indicators",
        "ns/packet",
        "min – max",
        "Mpps",
        "with gen.",
        "Mpps",
        "% bare"
    );
    for row in rows {
        let (target, corpus) = (row.target.name(), row.corpus.name());
        let _ = write!(text, "{target:<12} {corpus:<8} {:>10} ", row.indicators);
        let Some(measured) = &row.measured else {
            let _ = writeln!(text, "{:>9} {}", "–", row.note);
            continue;
        };
        let Summary { median, min, max } = measured.ns;
        let whole = measured.whole_ns.unwrap_or(f64::NAN);
        let _ = writeln!(
            text,
            "{median:>9.1} {:>19} {:>7.2} {whole:>9.1} {:>7.2} {:>7.0}",
            format!("{min:.1} – {max:.1}"),
            1e3 / median,
            1e3 / whole,
            100.0 * measured.to_bare_drop.unwrap_or(f64::NAN),
        );
    }
    let _ = writeln!(
        text,
        "one CPU; ns/packet without the generator; % bare: rate with the generator, to bare_drop's"
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
    let _ = writeln!(text);
    for figure in &report.figures.0 {
        let Some(Summary { median, min, max }) = figure.value else {
            let _ = writeln!(text, "{:<55} – {}", figure.what, figure.note);
            continue;
        };
        let _ = writeln!(
            text,
            "{:<55} {median:>8.2} {} ({min:.2} – {max:.2})",
            figure.what, figure.unit
        );
    }
    for gap in &report.gaps {
        let _ = writeln!(text, "not measured: {gap}");
    }
    let _ = writeln!(text);
}

fn line(goal: &Goal) -> String {
    let Goal {
        name,
        what,
        limit,
        unit,
        ..
    } = goal;
    let measured = goal.value.map_or_else(
        || "not measured".to_owned(),
        |value| format!("{value:.2} {unit}"),
    );
    let bound = if goal.at_least { "≥" } else { "≤" };
    let verdict = goal.verdict();
    let beside = match goal.beside.as_str() {
        "" => String::new(),
        text => format!(" ({text})"),
    };
    format!("{verdict:<12} {name}: {what}: {measured}, goal {bound} {limit} {unit}{beside}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_has_its_line_whatever_was_measured() {
        let mut report = Report {
            error: Some("a reason".to_owned()),
            ..Report::default()
        };
        report.figures.set("swap_1m_ms", Ok(vec![40.0]));
        report.figures.set("cold_start_1m_s", Ok(vec![0.5]));
        let text = table(&report);
        for line in [
            "NOT measured P1_random: ",
            "met          P7_swap: ",
            "NOT met      P8_1m: ",
            "NOT finished: a reason",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
