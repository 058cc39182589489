//! Builds the XDP program with whichever eBPF toolchain `cargo xtask setup` found.

use std::{env, process::Command};

use anyhow::Context as _;
use aya_build::{Package, Toolchain, build_ebpf};

/// The rustup name that `cargo xtask setup` gives to Debian's compiler and its std source.
const DEBIAN_TOOLCHAIN: &str = "trickblock-bpf";

fn main() -> anyhow::Result<()> {
    let root_dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../trickblock-ebpf");
    println!(
        "cargo:rerun-if-changed={}/../trickblock-common/src",
        env!("CARGO_MANIFEST_DIR")
    );
    let features: &[&str] = match env::var_os("CARGO_FEATURE_DEBUG_LOG") {
        Some(_) => &["debug-log"],
        None => &[],
    };
    let package = Package {
        name: "trickblock-ebpf",
        root_dir,
        features,
        ..Default::default()
    };
    build_ebpf([package], toolchain()).context(
        "the XDP program was not built: run `cargo xtask setup`, then `cargo xtask doctor`",
    )
}

/// Debian's compiler is a stable release: build-std needs `RUSTC_BOOTSTRAP`, and only this
/// build may see it.
fn toolchain() -> Toolchain<'static> {
    let linked = Command::new("rustup")
        .args(["run", DEBIAN_TOOLCHAIN, "rustc", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !linked {
        return Toolchain::Nightly;
    }
    // SAFETY: a build script has one thread here, so nobody reads the environment meanwhile.
    unsafe { env::set_var("RUSTC_BOOTSTRAP", "1") };
    Toolchain::Custom(DEBIAN_TOOLCHAIN)
}
