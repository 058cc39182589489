//! The machine that the figures belong to.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::{Value, json};

/// Kernel, CPU, mitigations: what figures of two machines differ by.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub kernel: String,
    pub cpu: String,
    pub cpus: usize,
    /// Of the vulnerabilities that the CPU has, by name.
    pub mitigations: BTreeMap<String, String>,
    /// `net.core.bpf_jit_enable` and `net.core.bpf_jit_harden`; empty where they are not shown.
    pub jit: String,
    pub jit_harden: String,
    /// What the rivals' programs say of themselves; those that are missing are left out.
    pub tools: BTreeMap<String, String>,
    /// Before anything was measured: one minute's average.
    pub load: String,
}

/// Reads them; what the machine does not say is empty.
pub fn facts() -> Facts {
    Facts {
        kernel: read("/proc/sys/kernel/osrelease"),
        cpu: cpu_model(&read("/proc/cpuinfo")),
        cpus: std::thread::available_parallelism().map_or(0, usize::from),
        mitigations: mitigations(),
        jit: read("/proc/sys/net/core/bpf_jit_enable"),
        jit_harden: read("/proc/sys/net/core/bpf_jit_harden"),
        tools: tools(),
        load: first_word(&read("/proc/loadavg")),
    }
}

impl Facts {
    /// As `machine` of the JSON file.
    pub fn json(&self) -> Value {
        json!({
            "kernel": self.kernel,
            "cpu": self.cpu,
            "cpus": self.cpus,
            "mitigations": self.mitigations,
            "bpf_jit_enable": self.jit,
            "bpf_jit_harden": self.jit_harden,
            "tools": self.tools,
            "load_average": self.load,
        })
    }
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).map_or_else(|_| String::new(), |text| text.trim().to_owned())
}

fn first_word(text: &str) -> String {
    text.split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn cpu_model(info: &str) -> String {
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "model name").then(|| value.trim().to_owned())
    };
    info.lines().find_map(field).unwrap_or_default()
}

fn tools() -> BTreeMap<String, String> {
    const TOOLS: [(&str, &[&str]); 4] = [
        ("nft", &["--version"]),
        ("ipset", &["--version"]),
        ("iptables", &["--version"]),
        // The program does not say it.
        (
            "dpkg-query",
            &["-W", "-f", "${Package} ${Version}", "xdp-tools"],
        ),
    ];
    let version = |(tool, arguments): (&str, &[&str])| {
        let output = Command::new(tool).args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Some((tool.to_owned(), text.lines().next()?.trim().to_owned()))
    };
    TOOLS.into_iter().filter_map(version).collect()
}

fn mitigations() -> BTreeMap<String, String> {
    let files = fs::read_dir("/sys/devices/system/cpu/vulnerabilities");
    let files = files.into_iter().flatten().flatten();
    let named = files.map(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        (name, read(file.path()))
    });
    named.filter(|(_, state)| state != "Not affected").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found_among_other_fields() {
        let info = "processor\t: 0\nmodel\t\t: 17\nmodel name\t: Some CPU @ 2 GHz\n";
        assert_eq!(cpu_model(info), "Some CPU @ 2 GHz");
        assert_eq!(cpu_model("processor: 0"), "");
    }
}
