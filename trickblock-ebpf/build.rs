//! Link options of the XDP program.

fn main() {
    // Without it an unaligned 8-byte read becomes eight byte loads (needs LLVM 22 or newer).
    println!("cargo:rustc-link-arg-bins=--cpu-features=+allows-misaligned-mem-access");
    println!("cargo:rerun-if-changed=build.rs");
}
