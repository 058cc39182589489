//! The curves of `docs/benchmarks.md`.

use super::{
    corpus::Corpus,
    report::Report,
    row::{Measured, Row},
    svg::{Chart, Line},
    target::{Method, Target},
};

/// File names and charts; those without a point are left out.
pub fn charts(report: &Report) -> Vec<(&'static str, Chart)> {
    let all = [
        ("pass.svg", passing(report)),
        ("trickblock.svg", by_corpus(report)),
        ("drop.svg", dropping(report)),
    ];
    let drawn = all.into_iter().filter(|(_, chart)| !chart.lines.is_empty());
    drawn.collect()
}

/// Of each target everywhere.
const COLOURED: [(Target, usize); 10] = [
    (Target::Trickblock, 0),
    (Target::BarePass, 1),
    (Target::BareDrop, 1),
    (Target::KernelLpm, 2),
    (Target::KernelHash, 3),
    (Target::XdpFilter, 4),
    (Target::ParsePass, 5),
    (Target::NftHash, 6),
    (Target::NftInterval, 7),
    (Target::Ipset, 3),
];

fn passing(report: &Report) -> Chart {
    Chart {
        title: "What a passing packet costs",
        subtitle: format!(
            "random addresses, test_run, harness included; {}",
            machine(report)
        ),
        y_label: "ns per packet (log)",
        logarithmic: true,
        lines: by_target(report, Method::TestRun, |one| Some(one.ns.median)),
    }
}

fn dropping(report: &Report) -> Chart {
    Chart {
        title: "Frames dropped on veth",
        subtitle: format!(
            "random listed destinations, receiver's side of one CPU; {}",
            machine(report)
        ),
        y_label: "million frames per second of CPU time",
        logarithmic: false,
        lines: by_target(report, Method::Veth, |one| Some(1e3 / one.ns.median)),
    }
}

fn by_corpus(report: &Report) -> Chart {
    let lines = Corpus::ALL.into_iter().filter(|one| *one != Corpus::Hit);
    let line = |corpus: Corpus| {
        let rows = rows(report, Method::TestRun, Target::Trickblock, corpus);
        line(corpus.name(), corpus as usize, rows, &|one| {
            Some(one.ns.median)
        })
    };
    Chart {
        title: "trickblock: what a passing packet costs",
        subtitle: format!(
            "by kind of traffic, test_run, harness included; {}",
            machine(report)
        ),
        y_label: "ns per packet",
        logarithmic: false,
        lines: lines.filter_map(line).collect(),
    }
}

fn by_target(
    report: &Report,
    method: Method,
    value: impl Fn(&Measured) -> Option<f64>,
) -> Vec<Line> {
    let line = |(target, colour): (Target, usize)| {
        let rows = rows(report, method, target, Corpus::Uniform);
        line(target.name(), colour, rows, &value)
    };
    COLOURED.into_iter().filter_map(line).collect()
}

fn rows(
    report: &Report,
    method: Method,
    target: Target,
    corpus: Corpus,
) -> impl Iterator<Item = &Row> {
    report
        .rows
        .iter()
        .filter(move |row| row.method == method && row.target == target && row.corpus == corpus)
}

/// `None` where nothing was measured.
fn line<'a>(
    name: &str,
    colour: usize,
    rows: impl Iterator<Item = &'a Row>,
    value: &dyn Fn(&Measured) -> Option<f64>,
) -> Option<Line> {
    let point = |row: &Row| Some((row.indicators as f64, value(row.measured.as_ref()?)?));
    let points: Vec<_> = rows.filter_map(point).collect();
    (!points.is_empty()).then(|| Line {
        name: name.to_owned(),
        colour,
        points,
    })
}

fn machine(report: &Report) -> String {
    format!("{}, Linux {}", report.machine.cpu, report.machine.kernel)
}
