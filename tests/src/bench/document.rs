//! `docs/benchmarks.md`, from what a run measured.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Context as _;

use super::{
    charts::charts, goal::Goal, goals::goals, report::Report, row::Row, svg::figure, target::Method,
};

/// The prose, with `{{NAME}}` where tables belong.
const TEMPLATE: &str = include_str!("document.md");
/// Below the directory of the documentation.
const CHARTS: &str = "benchmarks";

/// Writes the document and its charts into `docs`.
pub fn write(report: &Report, docs: &Path) -> anyhow::Result<()> {
    let dir = docs.join(CHARTS);
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    for (name, chart) in charts(report) {
        put(&dir.join(name), &chart.render())?;
    }
    put(&docs.join("benchmarks.md"), &text(report))
}

fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn text(report: &Report) -> String {
    let parts = [
        ("MACHINE", machine(report)),
        ("CHARTS", pictures(report)),
        ("GOALS", goals_table(report)),
        ("PASS", rows(report, Method::TestRun)),
        ("DROP", rows(report, Method::Veth)),
        ("FIGURES", figures(report)),
        ("HOST", host(report)),
        ("GAPS", gaps(report)),
    ];
    let text = TEMPLATE.to_owned();
    parts.into_iter().fold(text, |text, (name, part)| {
        text.replace(&format!("{{{{{name}}}}}"), part.trim_end())
    })
}

fn machine(report: &Report) -> String {
    let machine = &report.machine;
    let kind = if report.quick { "quick" } else { "full" };
    let mut text = format!(
        "A {kind} run of {:.0} minutes: Linux {}, {} × {}, JIT {} (hardening {}), load {} before the run.",
        report.duration.as_secs_f64() / 60.0,
        machine.kernel,
        machine.cpus,
        machine.cpu,
        machine.jit,
        machine.jit_harden,
        machine.load
    );
    if !machine.mitigations.is_empty() {
        text.push_str(" Mitigations:\n");
    }
    for (name, state) in &machine.mitigations {
        let _ = write!(text, "\n* {name}: {state}");
    }
    let tools: Vec<&str> = machine.tools.values().map(String::as_str).collect();
    let _ = write!(text, "\n\nRivals: {}.", tools.join("; "));
    text
}

fn pictures(report: &Report) -> String {
    let mut text = String::new();
    for (name, chart) in charts(report) {
        let _ = writeln!(
            text,
            "![{}: {}]({CHARTS}/{name})\n",
            chart.title, chart.y_label
        );
    }
    text
}

fn goals_table(report: &Report) -> String {
    let mut text = "| goal | | wanted | measured | |\n|---|---|---|---|---|\n".to_owned();
    for goal in goals(report) {
        let Goal {
            name,
            what,
            limit,
            unit,
            ..
        } = &goal;
        let bound = if goal.at_least { "≥" } else { "≤" };
        let measured = goal.value.map_or_else(
            || "–".to_owned(),
            |value| format!("{} {unit}", figure(value)),
        );
        let beside = match goal.beside.as_str() {
            "" => String::new(),
            beside => format!(" ({beside})"),
        };
        let verdict = goal.verdict();
        let _ = writeln!(
            text,
            "| {name} | {what} | {bound} {limit} {unit} | {measured}{beside} | {verdict} |"
        );
    }
    text
}

/// One line for each target and corpus, a column for each list size.
fn rows(report: &Report, method: Method) -> String {
    let of_method = || report.rows.iter().filter(|row| row.method == method);
    let mut sizes: Vec<usize> = of_method().map(|row| row.indicators).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut text = "| corpus | target |".to_owned();
    for size in &sizes {
        let _ = write!(text, " {} |", count(*size));
    }
    let _ = write!(text, "\n|---|---|{}\n", "---|".repeat(sizes.len()));
    let mut lines: Vec<_> = of_method().map(|row| (row.corpus, row.target)).collect();
    lines.dedup();
    for (corpus, target) in lines {
        let _ = write!(text, "| {} | {} |", corpus.name(), target.name());
        for size in &sizes {
            let mut rows = of_method();
            let row = rows
                .find(|row| (row.corpus, row.target, row.indicators) == (corpus, target, *size));
            let _ = write!(text, " {} |", row.map_or_else(String::new, cell));
        }
        text.push('\n');
    }
    text + &notes(of_method())
}

/// Median, spread, and what it is compared with.
fn cell(row: &Row) -> String {
    let Some(measured) = &row.measured else {
        return "–".to_owned();
    };
    let spread = format!("{}–{}", figure(measured.ns.min), figure(measured.ns.max));
    let compared = match (
        measured.to_parse_pass,
        measured.to_bare_drop,
        measured.whole_ns,
    ) {
        (Some(ratio), ..) => format!("{ratio:.2} ×"),
        (_, Some(share), Some(whole)) => {
            format!("{} with generator, {:.0} %", figure(whole), 100.0 * share)
        }
        _ => String::new(),
    };
    format!("**{}** ({spread}) {compared}", figure(measured.ns.median))
}

/// Each once, with the targets and sizes that it is about.
fn notes<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let mut notes: Vec<(String, Vec<String>)> = Vec::new();
    for row in rows.filter(|row| !row.note.is_empty()) {
        let what = match row.measured {
            Some(_) => row.target.name().to_owned(),
            None => format!("{} at {}", row.target.name(), count(row.indicators)),
        };
        match notes.iter_mut().find(|(note, _)| *note == row.note) {
            Some((_, about)) if about.contains(&what) => {}
            Some((_, about)) => about.push(what),
            None => notes.push((row.note.clone(), vec![what])),
        }
    }
    let lines = notes
        .iter()
        .map(|(note, about)| format!("\n* {}: {note}", about.join(", ")));
    lines.collect()
}

fn count(size: usize) -> String {
    match size {
        1_000_000.. => format!("{} M", size / 1_000_000),
        1_000.. => format!("{} k", size / 1_000),
        _ => size.to_string(),
    }
}

fn figures(report: &Report) -> String {
    let mut text = "| | median | spread | |\n|---|---|---|---|\n".to_owned();
    for one in &report.figures.0 {
        let (median, spread) = one.value.map_or_else(
            || ("–".to_owned(), String::new()),
            |value| {
                let spread = format!("{} – {}", figure(value.min), figure(value.max));
                (format!("{} {}", figure(value.median), one.unit), spread)
            },
        );
        let _ = writeln!(
            text,
            "| {} | {median} | {spread} | {} |",
            one.what, one.note
        );
    }
    text
}

fn host(report: &Report) -> String {
    let mut text =
        "| family | packets | indicators | M packets/s | spread |\n|---|---|---|---|---|\n"
            .to_owned();
    for rate in &report.host {
        let spread = rate.packets_per_second;
        let _ = writeln!(
            text,
            "| {:?} | {} | {} | {} | {} – {} |",
            rate.family,
            rate.flows.name(),
            count(rate.indicators),
            figure(spread.median / 1e6),
            figure(spread.min / 1e6),
            figure(spread.max / 1e6)
        );
    }
    text
}

fn gaps(report: &Report) -> String {
    let mut text = String::new();
    for gap in report.gaps.iter().chain(&report.error) {
        let _ = writeln!(text, "* {gap}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_placeholder_is_left_and_gaps_are_named() {
        let report = Report {
            gaps: vec!["frames on veth: no nft".to_owned()],
            ..Report::default()
        };
        let text = text(&report);
        assert!(!text.contains("{{"), "{text}");
        assert!(text.contains("* frames on veth: no nft"), "{text}");
        assert!(text.contains("| P1_random |"), "{text}");
    }
}
