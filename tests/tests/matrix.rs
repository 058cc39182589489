//! The kernel matrix in its short form, and that a kernel which does not answer is a failure.

use std::{fs, path::Path, process::ExitCode};

use serde_json::Value;
use trickblock::kernel::Program;
use trickblock_tests::{
    case, fixture,
    harness::{self, Need},
    matrix::short_form,
};

fn main() -> ExitCode {
    harness::main(&[
        case!(short_form_passes, KERNELS),
        case!(silence_is_a_failure, KERNELS),
    ])
}

const KERNELS: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs, Need::Kernels];
const BUDGET: u64 = 60_000;

/// Whether it succeeded and what it printed, and its JSON.
fn run(program: &Path) -> (Result<String, String>, Value) {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("matrix.json");
    let [file, program] = [&json, program].map(|path| path.to_str().unwrap());
    let said = short_form(&["--guest", program, "--json", file]);
    let said = said.map_err(|error| format!("{error:#}"));
    let json = fs::read_to_string(&json).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    (said, serde_json::from_str(&json).unwrap())
}

fn short_form_passes() {
    let (said, json) = run(Path::new(env!("CARGO_BIN_EXE_matrix")));
    let said = said.unwrap_or_else(|said| panic!("{said}"));
    println!("{said}");
    assert_eq!(json["result"], "ok", "{json:#}");
    let kernels = json["kernels"].as_array().unwrap();
    assert_eq!(kernels.len(), 2, "{json:#}");
    let fixtures: usize = fixture::all().iter().map(|group| group.cases.len()).sum();
    for kernel in kernels {
        assert_eq!(kernel["result"], "ok", "{kernel:#}");
        assert_eq!(kernel["fixtures"], fixtures, "{kernel:#}");
        for program in Program::ALL {
            let verified = kernel["programs"][program.name()].as_u64();
            let verified = verified.unwrap_or_else(|| panic!("{}: {kernel:#}", program.name()));
            assert!(0 < verified && verified <= BUDGET, "{kernel:#}");
        }
    }
    let releases = kernels
        .iter()
        .filter_map(|kernel| kernel["release"].as_str());
    let mut releases: Vec<_> = releases.collect();
    releases.dedup();
    assert_eq!(releases.len(), 2, "two kernels: {releases:?}");
}

/// Of a program that ends without a word, on both kernels; the emulated one panics over it.
fn silence_is_a_failure() {
    let program = ["/bin/true", "/usr/bin/true"].map(Path::new);
    let program = program.into_iter().find(|path| path.exists()).unwrap();
    let (said, json) = run(program);
    let said = said.expect_err("a success");
    assert!(said.contains("2 kernels, 2 failed"), "{said}");
    assert_eq!(json["result"], "failed", "{json:#}");
    for kernel in json["kernels"].as_array().unwrap() {
        let error = kernel["error"].as_str().unwrap_or_default();
        assert_eq!(kernel["result"], "failed", "{kernel:#}");
        assert!(error.contains("no answer"), "{kernel:#}");
    }
}
