//! The goals, and what was measured against them. Printed, never asserted.

use super::{
    corpus::Corpus,
    goal::Goal,
    host::Flows,
    report::Report,
    row::{Measured, find},
    target::{Method, Target},
};

const K: usize = 1_000;
const M: usize = 1_000_000;

/// In the order of `docs/benchmarks.md`.
pub fn goals(report: &Report) -> Vec<Goal> {
    let mut goals = passing(report);
    goals.extend(growth(report));
    goals.extend(against_rivals(report));
    goals.extend(dropping(report));
    goals.extend(updating(report));
    goals.extend(of_version_six(report));
    goals.extend(of_100k(report));
    goals
}

/// One program on one corpus without a network.
fn run(report: &Report, target: Target, corpus: Corpus, size: usize) -> Option<&Measured> {
    find(&report.rows, Method::TestRun, (target, corpus, size))
}

fn filter(report: &Report, corpus: Corpus, size: usize) -> Option<&Measured> {
    run(report, Target::Trickblock, corpus, size)
}

fn net(measured: Option<&Measured>) -> Option<String> {
    measured.map(|one| format!("net {:.1} ns", one.net_ns))
}

fn passing(report: &Report) -> Vec<Goal> {
    let ratio = |corpus| filter(report, corpus, M).and_then(|one| one.to_parse_pass);
    vec![
        Goal::most(
            "P1_random",
            "PASS at 1 M, random, to the parser alone",
            1.4,
            "×",
        )
        .is(ratio(Corpus::Uniform))
        .beside(net(filter(report, Corpus::Uniform, M))),
        Goal::most("P1_hot", "PASS at 1 M, hot, to the parser alone", 1.1, "×")
            .is(ratio(Corpus::Hot))
            .beside(net(filter(report, Corpus::Hot, M))),
    ]
}

/// Cost with one size to cost with another.
fn grown(report: &Report, corpus: Corpus, from: usize, to: usize) -> Option<f64> {
    let (small, large) = (filter(report, corpus, from)?, filter(report, corpus, to)?);
    Some(large.ns.median / small.ns.median)
}

fn growth(report: &Report) -> Vec<Goal> {
    vec![
        Goal::most("P2_hot", "cost at 1 M to cost at 1 k, hot", 1.05, "×").is(grown(
            report,
            Corpus::Hot,
            K,
            M,
        )),
        Goal::most("P2_random", "cost at 1 M to cost at 1 k, random", 1.4, "×").is(grown(
            report,
            Corpus::Uniform,
            K,
            M,
        )),
        Goal::most("P2_10m", "cost at 10 M to cost at 1 k, random", 3.0, "×").is(grown(
            report,
            Corpus::Uniform,
            K,
            10 * M,
        )),
    ]
}

/// ns on top of the parser.
fn added(report: &Report, target: Target, size: usize) -> Option<f64> {
    let with = run(report, target, Corpus::Uniform, size)?.ns.median;
    let without = run(report, Target::ParsePass, Corpus::Uniform, size)?
        .ns
        .median;
    // Less than this cannot be told apart from nothing.
    Some((with - without).max(0.1))
}

fn against_rivals(report: &Report) -> Vec<Goal> {
    let times = |rival: Option<f64>, own: Option<f64>| Some(rival? / own?);
    let both = |rival: Option<f64>, own: Option<f64>| {
        Some(format!("{:.1} ns against {:.1}", rival?, own?))
    };
    let (own, own_10m) = (
        added(report, Target::Trickblock, M),
        added(report, Target::Trickblock, 10 * M),
    );
    let xdp_filter = added(report, Target::XdpFilter, 10 * K);
    let (lpm, hash) = (
        added(report, Target::KernelLpm, M),
        added(report, Target::KernelHash, M),
    );
    vec![
        Goal::least(
            "P3",
            "added by xdp-filter at 10 k to added at 10 M, random",
            10.0,
            "×",
        )
        .is(times(xdp_filter, own_10m))
        .beside(both(xdp_filter, own_10m)),
        Goal::least(
            "P4_lpm",
            "added by two LPM lookups to added at 1 M, random",
            200.0,
            "×",
        )
        .is(times(lpm, own))
        .beside(both(lpm, own)),
        Goal::least(
            "P4_hash",
            "added by four hash lookups to added at 1 M, random",
            40.0,
            "×",
        )
        .is(times(hash, own))
        .beside(both(hash, own)),
    ]
}

/// The two cells that drops are judged by.
const DROPS: [(Corpus, usize); 2] = [(Corpus::Hot, K), (Corpus::Uniform, M)];

fn dropped(report: &Report, target: Target, (corpus, size): (Corpus, usize)) -> Option<&Measured> {
    find(&report.rows, Method::Veth, (target, corpus, size))
}

/// The least of the rates' ratios, by what a frame costs.
fn faster(
    report: &Report,
    rivals: &[Target],
    cost: impl Fn(&Measured) -> Option<f64>,
) -> Option<f64> {
    let pairs = rivals
        .iter()
        .flat_map(|rival| DROPS.map(|cell| (*rival, cell)));
    let ratios = pairs.filter_map(|(rival, cell)| {
        let own = cost(dropped(report, Target::Trickblock, cell)?)?;
        Some(cost(dropped(report, rival, cell)?)? / own)
    });
    ratios.min_by(f64::total_cmp)
}

fn dropping(report: &Report) -> Vec<Goal> {
    let nft = [Target::NftHash, Target::NftInterval];
    let of = |rivals: &[Target]| faster(report, rivals, |one| Some(one.ns.median));
    let whole = |rivals: &[Target]| {
        let ratio = faster(report, rivals, |one| one.whole_ns)?;
        Some(format!("{ratio:.2} × with the generator"))
    };
    let share = |cell| {
        let measured = dropped(report, Target::Trickblock, cell)?;
        Some(100.0 * measured.to_bare_drop?)
    };
    vec![
        Goal::least(
            "P5_nft",
            "drops per CPU time to those of nft ingress, worst",
            3.0,
            "×",
        )
        .is(of(&nft))
        .beside(whole(&nft)),
        Goal::least(
            "P5_ipset",
            "drops per CPU time to those of ipset raw, worst",
            4.0,
            "×",
        )
        .is(of(&[Target::Ipset]))
        .beside(whole(&[Target::Ipset])),
        Goal::least(
            "P6_hot",
            "drop rate to that of a bare drop, 1 k hot",
            75.0,
            "%",
        )
        .is(share(DROPS[0])),
        Goal::least(
            "P6_clients",
            "the same with 1 k client pairs tracked",
            60.0,
            "%",
        )
        .beside(Some("no client tracking yet".to_owned())),
        Goal::least(
            "P6_uniform",
            "drop rate to that of a bare drop, 1 M uniform",
            50.0,
            "%",
        )
        .is(share(DROPS[1])),
    ]
}

fn updating(report: &Report) -> Vec<Goal> {
    let median = |name| report.figures.median(name);
    vec![
        Goal::least("P7_adds", "additions", 20e6, "/s").is(median("adds_per_s")),
        Goal::most("P7_swap", "whole-set swap of 1 M", 60.0, "ms").is(median("swap_1m_ms")),
        Goal::most(
            "P7_verdicts",
            "wrong verdicts in 1,000 swaps under load",
            0.0,
            "",
        )
        .beside(Some("the test `swap` asserts it".to_owned())),
        Goal::most("P8_1m", "text of 1 M rows to attached", 0.4, "s").is(median("cold_start_1m_s")),
        Goal::most("P8_10m", "text of 10 M rows to attached", 3.0, "s")
            .is(median("cold_start_10m_s")),
        Goal::most(
            "P9_1m",
            "memory of one generation at 1 M, a table made for its list",
            24.0,
            "bytes/indicator",
        )
        .is(median("bytes_per_indicator_1m")),
        Goal::most(
            "P9_10m",
            "memory of one generation at 10 M, a table made for its list",
            24.0,
            "bytes/indicator",
        )
        .is(median("bytes_per_indicator_10m")),
    ]
}

fn of_version_six(report: &Report) -> Vec<Goal> {
    let corpus = Corpus::V6Uniform;
    let ratio = filter(report, corpus, M).and_then(|one| one.to_parse_pass);
    vec![
        Goal::most(
            "P10_pass",
            "IPv6: PASS at 1 M, random, to the parser alone",
            1.6,
            "×",
        )
        .is(ratio)
        .beside(net(filter(report, corpus, M))),
        Goal::most(
            "P10_growth",
            "IPv6: cost at 1 M to cost at 1 k, random",
            1.6,
            "×",
        )
        .is(grown(report, corpus, K, M)),
    ]
}

/// What was promised of lists of 100 k.
fn of_100k(report: &Report) -> Vec<Goal> {
    let benign = Corpus::ALL.into_iter().filter(|one| *one != Corpus::Hit);
    let ratios = benign.filter_map(|corpus| filter(report, corpus, 100 * K)?.to_parse_pass);
    let rates = report.host.iter().filter(|rate| rate.flows != Flows::Hit);
    let rates = rates.map(|rate| rate.packets_per_second.median / 1e6);
    let median = |name| report.figures.median(name);
    vec![
        Goal::most(
            "pass_ratio_100k",
            "PASS at 100 k to the parser, worst corpus",
            3.0,
            "×",
        )
        .is(ratios.max_by(f64::total_cmp)),
        Goal::most(
            "text_to_attached_100k_s",
            "text of 100 k rows to attached",
            1.0,
            "s",
        )
        .is(median("text_to_attached_100k_s")),
        Goal::most(
            "daemon_private_mib_100k",
            "daemon's private memory at 100 k",
            64.0,
            "MiB",
        )
        .is(median("daemon_private_mib_100k")),
        Goal::least(
            "host_mpps",
            "host: one core, worst benign corpus",
            20.0,
            "M packets/s",
        )
        .is(rates.min_by(f64::total_cmp)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{row::Row, stats::Summary};

    fn measured(target: Target, size: usize, ns: f64) -> Row {
        Row {
            method: Method::TestRun,
            target,
            corpus: Corpus::Uniform,
            indicators: size,
            measured: Some(Measured {
                ns: Summary::of([ns]).unwrap(),
                net_ns: ns - 20.0,
                to_parse_pass: Some(ns / 25.0),
                whole_ns: None,
                to_bare_drop: None,
                rounds: 1,
            }),
            note: String::new(),
        }
    }

    fn verdicts(rows: Vec<Row>) -> Vec<(&'static str, Option<f64>, Option<bool>)> {
        let report = Report {
            rows,
            ..Report::default()
        };
        let goals = goals(&report).into_iter();
        goals
            .map(|goal| (goal.name, goal.value, goal.met()))
            .collect()
    }

    #[test]
    fn ratios_are_taken_from_the_rows_and_the_rest_is_not_measured() {
        let verdicts = verdicts(vec![
            measured(Target::ParsePass, M, 25.0),
            measured(Target::Trickblock, K, 28.0),
            measured(Target::Trickblock, M, 35.0),
            measured(Target::KernelLpm, M, 3_025.0),
        ]);
        assert!(verdicts.contains(&("P1_random", Some(1.4), Some(true))));
        assert!(verdicts.contains(&("P2_random", Some(1.25), Some(true))));
        assert!(verdicts.contains(&("P4_lpm", Some(300.0), Some(true))));
        assert!(verdicts.contains(&("P4_hash", None, None)));
        assert!(verdicts.contains(&("P6_clients", None, None)));
    }
}
