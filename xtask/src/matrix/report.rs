//! What was found, for people and for programs.

use std::{fmt::Write as _, time::Duration};

use anyhow::Result;
use serde_json::{Value, json};

use super::kernels::Kernel;

/// What one kernel said, or why it said nothing.
pub fn finding(kernel: &Kernel, said: Result<Value>) -> Value {
    let mut finding = said.unwrap_or_else(|error| {
        println!("{:<13}  failed: {error:#}", kernel.name);
        json!({
            "release": "unknown", "result": "failed", "fixtures": 0, "verified_insns": null,
            "error": format!("{error:#}"),
        })
    });
    finding["name"] = kernel.name.into();
    finding["how"] = kernel.how().into();
    finding
}

/// Whether the kernel passed everything.
pub fn is_ok(finding: &Value) -> bool {
    finding["result"] == "ok"
}

/// As written by `--json`.
pub fn json(findings: &[Value], took: Duration) -> Value {
    let ok = findings.iter().all(is_ok);
    json!({
        "schema": 1,
        "result": if ok { "ok" } else { "failed" },
        "seconds": took.as_secs(),
        "kernels": findings,
    })
}

/// A line for each kernel, and the reason below one that failed.
pub fn table(findings: &[Value], took: Duration) -> String {
    let mut table = row(["kernel", "result", "fixtures", "insns", "JIT", "BTF", "how"]);
    for finding in findings {
        let text = |field: &str| match &finding[field] {
            Value::String(text) => text.clone(),
            Value::Bool(is) => if *is { "yes" } else { "no" }.to_owned(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        let fields = [
            "release",
            "result",
            "fixtures",
            "verified_insns",
            "jit",
            "btf",
            "how",
        ];
        let cells = fields.map(text);
        table += &row(cells.each_ref().map(String::as_str));
        if let Some(error) = finding["error"].as_str() {
            let _ = writeln!(table, "  {}", error.replace('\n', "\n  "));
        }
    }
    let failed = findings.iter().filter(|finding| !is_ok(finding)).count();
    let (asked, seconds) = (findings.len(), took.as_secs());
    let _ = writeln!(
        table,
        "matrix: {asked} kernels, {failed} failed, {seconds} s"
    );
    table
}

fn row(cells: [&str; 7]) -> String {
    let [kernel, result, fixtures, insns, jit, btf, how] = cells;
    format!("{kernel:<30} {result:<6} {fixtures:>8} {insns:>6} {jit:<3} {btf:<3} {how}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Value> {
        let good = json!({
            "release": "6.1.0-56-cloud-amd64", "result": "ok", "fixtures": 7015,
            "verified_insns": 32380, "jit": true, "btf": true, "how": "QEMU without KVM",
        });
        let bad = json!({
            "release": "unknown", "result": "failed", "fixtures": 0, "verified_insns": null,
            "error": "no answer\nkernel panic", "how": "user-mode Linux",
        });
        vec![good, bad]
    }

    #[test]
    fn one_bad_kernel_is_a_failure() {
        let json = json(&findings(), Duration::from_secs(9));
        assert_eq!(json["result"], "failed");
        assert_eq!(json["kernels"][0]["verified_insns"], 32380);
        assert_eq!(
            super::json(&findings()[..1], Duration::ZERO)["result"],
            "ok"
        );
    }

    #[test]
    fn the_table_tells_figures_and_reasons() {
        let table = table(&findings(), Duration::from_secs(9));
        for part in [
            "6.1.0-56-cloud-amd64",
            "7015  32380 yes yes",
            "  kernel panic\n",
        ] {
            assert!(table.contains(part), "{part} in\n{table}");
        }
        assert!(
            table.ends_with("matrix: 2 kernels, 1 failed, 9 s\n"),
            "{table}"
        );
    }
}
