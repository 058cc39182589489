//! Link options of the XDP program.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_CFG_TARGET_ARCH").is_none_or(|arch| arch != "bpf") {
        // The host stub is linked by a linker that does not know the option.
        return;
    }
    // Without it an unaligned 8-byte read becomes eight byte loads (needs LLVM 22 or newer).
    println!("cargo:rustc-link-arg-bins=--cpu-features=+allows-misaligned-mem-access");
}
