//! Builds the XDP program.

#[path = "ebpf_build.rs"]
mod ebpf_build;

fn main() -> anyhow::Result<()> {
    let features: &[&str] = match std::env::var_os("CARGO_FEATURE_DEBUG_LOG") {
        Some(_) => &["debug-log"],
        None => &[],
    };
    ebpf_build::build(features, &["trickblock-ebpf"])
}
