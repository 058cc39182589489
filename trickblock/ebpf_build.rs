//! Builds the programs of `trickblock-ebpf` with whichever eBPF toolchain `cargo xtask setup` found.
//! Build scripts share it.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use aya_build::{Package, Toolchain, build_ebpf};

/// The rustup name that `cargo xtask setup` gives to Debian's compiler and its std source.
const DEBIAN_TOOLCHAIN: &str = "trickblock-bpf";
/// Where one of these is set nobody runs the program: clippy sets the first for everything it starts,
/// `cargo xtask fuzz --asan` the second.
const WITHOUT: [&str; 2] = ["CLIPPY_ARGS", "TRICKBLOCK_WITHOUT_PROGRAM"];

/// Puts every program that these features allow into `OUT_DIR`; `programs` are those that the
/// caller includes.
pub fn build(features: &[&str], programs: &[&str]) -> anyhow::Result<()> {
    println!(
        "cargo:rerun-if-changed={}/../trickblock-common/src",
        env!("CARGO_MANIFEST_DIR")
    );
    let package = Package {
        name: "trickblock-ebpf",
        root_dir: concat!(env!("CARGO_MANIFEST_DIR"), "/../trickblock-ebpf"),
        features,
        ..Default::default()
    };
    for variable in WITHOUT {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    if WITHOUT
        .iter()
        .any(|variable| env::var_os(variable).is_some())
    {
        return programs.iter().try_for_each(|name| placeholder(name));
    }
    set("PATH", search_path()?);
    build_ebpf([package], toolchain()).context(
        "the XDP program was not built: run `cargo xtask setup`, then `cargo xtask doctor`",
    )
}

/// Clippy keeps build scripts of its own and runs nothing, and the sanitizer is for the host: neither need
/// wait for a program that it only sees as bytes.
fn placeholder(program: &str) -> anyhow::Result<()> {
    let file = Path::new(&env::var_os("OUT_DIR").context("OUT_DIR is not set")?).join(program);
    fs::write(&file, b"").with_context(|| format!("cannot write {}", file.display()))
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
    set("RUSTC_BOOTSTRAP", "1".into());
    Toolchain::Custom(DEBIAN_TOOLCHAIN)
}

/// PATH with cargo's own programs: rustup and bpf-linker must be found also where a shell,
/// a service or another cargo does not list them.
fn search_path() -> anyhow::Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo")));
    let dirs = env::split_paths(&path).chain(home.map(|home| home.join("bin")));
    Ok(env::join_paths(dirs)?)
}

fn set(name: &str, value: OsString) {
    // SAFETY: a build script has one thread here, so nobody reads the environment meanwhile.
    unsafe { env::set_var(name, value) };
}
