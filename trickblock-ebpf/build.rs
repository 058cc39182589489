//! Link options of the XDP program.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The host build, which tests and clippy use, has another linker that knows no such option.
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("bpf") {
        return;
    }
    // Without it an unaligned 8-byte read becomes eight byte loads (needs LLVM 22 or newer).
    println!("cargo:rustc-link-arg-bins=--cpu-features=+allows-misaligned-mem-access");
}
