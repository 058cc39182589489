//! Builds the XDP program.

#[path = "ebpf_build.rs"]
mod ebpf_build;

fn main() -> anyhow::Result<()> {
    let optional = [
        ("CARGO_FEATURE_DEBUG_LOG", "debug-log"),
        ("CARGO_FEATURE_PLANTED", "planted"),
    ];
    let chosen = optional
        .iter()
        .filter(|(variable, _)| std::env::var_os(variable).is_some());
    let features: Vec<&str> = chosen.map(|(_, feature)| *feature).collect();
    ebpf_build::build(&features, &["trickblock-ebpf"])
}
