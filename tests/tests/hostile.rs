//! Hostile feeds by family: what a daemon makes of each, and which guard it was. In every case the set in force is the last
//! good one afterwards; what is held is approved in the end, and in force then.

#[path = "hostile/bodies.rs"]
mod bodies;
#[path = "hostile/rows.rs"]
mod rows;
#[path = "hostile/run.rs"]
mod run;

use std::process::ExitCode;

use trickblock_tests::harness::{self, Need, Test};

fn main() -> ExitCode {
    harness::main(&[Test {
        name: "every_family_is_caught",
        needs: &[Need::Root, Need::Netns, Need::Bpf, Need::BpfFs, Need::Xdp],
        run: every_family,
    }])
}

/// How a case is caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caught {
    /// The body is taken, the row is refused by the guard with this name.
    Guard(&'static str),
    /// The body is taken, the row is malformed (or ignored, which is no address).
    Parser,
    /// The body is refused; the reason holds one of these.
    Body(&'static [&'static str]),
    /// The body waits for the operator; the reason holds this.
    Brake(&'static str),
}

/// Hostile feeds of one kind.
pub struct Family {
    pub name: &'static str,
    pub caught: Caught,
    /// What stands below the good rows, or for bodies: all of it.
    pub cases: Vec<Vec<u8>>,
}

impl Family {
    pub fn of<T: AsRef<[u8]>>(name: &'static str, caught: Caught, cases: &[T]) -> Self {
        let cases = cases.iter().map(|case| case.as_ref().to_vec()).collect();
        Self {
            name,
            caught,
            cases,
        }
    }
}

fn every_family() {
    let families: Vec<Family> = rows::families()
        .into_iter()
        .chain(bodies::families())
        .collect();
    let cases: usize = families.iter().map(|family| family.cases.len()).sum();
    let failures = run::run(&families);
    for family in &families {
        println!(
            "{:<28} {:>3}  {:?}",
            family.name,
            family.cases.len(),
            family.caught
        );
    }
    println!("{} families, {cases} cases", families.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(families.len() >= 25 && cases >= 200);
    let text = include_str!("../../docs/hostile.md");
    for family in &families {
        let row = format!("| {} | {} |", family.name, family.cases.len());
        assert!(text.contains(&row), "docs/hostile.md lacks: {row}");
    }
}
