//! Builds the programs that `cargo xtask bench` compares the XDP program with.

#[cfg(feature = "bench")]
#[path = "../trickblock/ebpf_build.rs"]
mod ebpf_build;

#[cfg(feature = "bench")]
fn main() -> anyhow::Result<()> {
    ebpf_build::build(&["bench"], &["bench", "generator", "rivals"])
}

#[cfg(not(feature = "bench"))]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
}
