//! What every kernel of the matrix is asked, and what it says; `cargo xtask matrix` starts it.

pub mod boot;
mod checks;
mod field;
mod links;
mod swap;

use std::{
    collections::BTreeMap,
    env, fs,
    panic::{self, AssertUnwindSafe},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::{cli, needs, sys::guest};
use field::Field;

/// Starts the line of the result, which is one JSON object.
pub const RESULT: &str = "matrix-result: ";
/// Starts a line of progress.
pub const STEP: &str = "matrix-step: ";

/// All that the filter may have.
const CAPABILITIES: [u32; 3] = [CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF];
const CAP_NET_ADMIN: u32 = 12;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// What was found out.
#[derive(Debug, Default)]
pub struct Findings {
    pub jit: bool,
    /// Fixtures that were proved.
    pub fixtures: usize,
    /// Instructions that the verifier processed, by program: the most of all table sizes.
    pub programs: BTreeMap<&'static str, u32>,
}

/// One question to a kernel.
struct Check {
    name: &'static str,
    /// What was done, for people.
    run: fn(&Field, &mut Findings) -> anyhow::Result<String>,
}

/// Asks this kernel everything, in a network namespace of its own and with three capabilities.
/// Prints progress and, last, the result; false if a check failed.
pub fn ask() -> bool {
    let mut findings = Findings {
        jit: has_jit(),
        ..Findings::default()
    };
    let mut checks = Vec::new();
    let error = match caught(prepare) {
        // All of them: what one kernel refuses at one place says little of the others.
        Ok(field) => checks::ALL
            .iter()
            .filter_map(|check| perform(check, &field, &mut findings, &mut checks).err())
            .reduce(|first, next| format!("{first}\n{next}")),
        Err(error) => Some(format!("{error:#}")),
    };
    println!("{RESULT}{}", result(&findings, &checks, error.as_deref()));
    error.is_none()
}

/// What still needs privilege, and then gives it up.
fn prepare() -> anyhow::Result<Field> {
    guest::leave_network().context("cannot make a network namespace: run as root")?;
    needs::bpf_file_system()?;
    let field = Field::new()?;
    let mask = CAPABILITIES.iter().map(|number| 1 << number).sum();
    guest::keep_only_capabilities(mask).context("cannot give up capabilities")?;
    let kept = ["CapPrm", "CapEff", "CapBnd"].map(|set| (set, mask));
    for (set, wanted) in kept.into_iter().chain([("CapInh", 0), ("CapAmb", 0)]) {
        let held = capabilities(set)?;
        ensure!(held == wanted, "{set} is {held:#x}, not {wanted:#x}");
    }
    Ok(field)
}

/// Runs `cargo xtask matrix --quick` to its end: what it printed, an error if it failed.
pub fn short_form(arguments: &[&str]) -> anyhow::Result<String> {
    let own = env::current_exe().context("where this program is")?;
    let xtask = cli::profile_dir(&own)?.join("xtask");
    let mut command = Command::new(&xtask);
    command.args(["matrix", "--quick"]).args(arguments);
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{}: `cargo build -p xtask`", xtask.display()))?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{}", said.trim());
    Ok(said)
}

fn capabilities(set: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/thread-self/status").context("/proc")?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix(set)?.strip_prefix(':'));
    let mask = line.with_context(|| format!("/proc does not tell {set}"))?;
    u64::from_str_radix(mask.trim(), 16).with_context(|| format!("{set}:{mask}"))
}

/// Answers with a text of its own where the check failed.
fn perform(
    check: &Check,
    field: &Field,
    findings: &mut Findings,
    done: &mut Vec<Value>,
) -> Result<(), String> {
    let start = Instant::now();
    let said = caught(|| (check.run)(field, findings)).map_err(|error| format!("{error:#}"));
    let seconds = (start.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    let (result, text) = match &said {
        Ok(text) => ("ok", text),
        Err(text) => ("failed", text),
    };
    println!("{STEP}{}: {text} ({seconds} s)", check.name);
    done.push(json!({"name": check.name, "result": result, "said": text, "seconds": seconds}));
    said.map(drop)
        .map_err(|text| format!("{}: {text}", check.name))
}

/// A panic is a failure like any other: the machine must still say so and end.
fn caught<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let text = |panic: Box<dyn std::any::Any + Send>| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref().map(|text: &&str| (*text).to_owned()));
        anyhow::Error::msg(text.unwrap_or_else(|| "panicked".to_owned()))
    };
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(text(panic)))
}

/// The JIT compiler is on. Other network namespaces than the first do not tell.
fn has_jit() -> bool {
    let file = "/proc/sys/net/core/bpf_jit_enable";
    fs::read_to_string(file).is_ok_and(|value| value.trim() != "0")
}

fn result(findings: &Findings, checks: &[Value], error: Option<&str>) -> Value {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();

    let mut result = json!({
        "release": release.trim(),
        "result": if error.is_none() { "ok" } else { "failed" },
        "jit": findings.jit,
        "btf": Path::new("/sys/kernel/btf/vmlinux").exists(),
        "fixtures": findings.fixtures,
        "verified_insns": findings.programs.values().max(),
        "programs": findings.programs,
        "checks": checks,
    });
    if let Some(error) = error {
        result["error"] = error.into();
    }
    result
}
