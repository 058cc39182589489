//! What is there: compilers for the XDP program, the linker, the operating system.
//!
//! Nothing here changes the machine. Setup and doctor share it, so they cannot disagree.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::process::{command, find, stdout_of};

/// The rustup name under which setup links Debian's compiler; `trickblock/ebpf_build.rs` asks for it.
pub const DEBIAN_TOOLCHAIN: &str = "trickblock-bpf";
/// The oldest compiler that takes this workspace and its pinned aya.
pub const OLDEST_RUST: Version = Version {
    major: 1,
    minor: 95,
};
/// A program as small as it gets, linked to prove that compiler and linker fit each other.
const PROBE: &str = "#![no_std]\n#[unsafe(no_mangle)]\npub extern \"C\" fn probe(x: u64) -> u64 { x.wrapping_add(1) }\n";
/// e_machine of a BPF object, little endian, at offset 18 of its ELF header.
const EM_BPF: [u8; 2] = [247, 0];

/// The two numbers of a version that decide here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

impl Version {
    /// Reads `6.18.44-fc`, `1.95.0 (59807616e …)`, `22.1.8`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split(|c: char| !c.is_ascii_digit());
        Some(Self {
            major: numbers.next()?.parse().ok()?,
            minor: numbers.next()?.parse().ok()?,
        })
    }
}

/// A compiler that can build the XDP program.
#[derive(Debug)]
pub struct Compiler {
    /// Its rustup name.
    pub toolchain: &'static str,
    /// `1.96.0`, for people.
    pub release: String,
    /// The major version of its LLVM: the linker's must not be older.
    pub llvm: u32,
}

/// The compiler that `trickblock/ebpf_build.rs` will take, or why there is none.
///
/// # Errors
/// Names each candidate and what it lacks.
pub fn bpf_compiler() -> Result<Compiler> {
    let debian = match compiler(DEBIAN_TOOLCHAIN) {
        Ok(compiler) => return Ok(compiler),
        Err(error) => error,
    };
    // The build script takes the linked one whenever it answers, so nightly only counts without.
    if toolchain_answers(DEBIAN_TOOLCHAIN) {
        return Err(debian);
    }
    compiler("nightly").map_err(|nightly| anyhow!("{debian:#}; {nightly:#}"))
}

/// Whether rustup has this toolchain and its compiler starts.
pub fn toolchain_answers(toolchain: &str) -> bool {
    stdout_of(rustc(toolchain).arg("-V")).is_some()
}

/// Proves that bpf-linker links what this compiler emits, with the features the build asks for.
///
/// Its `--version` does not tell which LLVM is inside. So it links a function of one line, and
/// where its file gives its LLVM away, that must not be older than the compiler's: an older one
/// reads simple bitcode and fails at the first new attribute.
///
/// # Returns
/// The linker's version line.
pub fn bpf_linker(compiler: &Compiler) -> Result<String> {
    let linker = find("bpf-linker").context("bpf-linker is not installed")?;
    let version = stdout_of(command(&linker).arg("--version"))
        .with_context(|| format!("{} does not start", linker.display()))?;
    let bytes = fs::read(&linker).with_context(|| format!("reading {}", linker.display()))?;
    if let Some(llvm) = llvm_inside(&bytes).filter(|llvm| *llvm < compiler.llvm) {
        let Compiler {
            toolchain,
            llvm: needed,
            ..
        } = compiler;
        bail!("{version} has LLVM {llvm}, older than the {needed} of {toolchain}");
    }
    let dir = env::temp_dir().join(format!("trickblock-probe-{}", process::id()));
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let linked = link_probe(compiler, &linker, &dir);
    // A leftover of a few kilobytes in the temporary directory harms nobody.
    let _ = fs::remove_dir_all(&dir);
    linked.with_context(|| format!("{version} and {} do not fit", compiler.toolchain))?;
    Ok(version)
}

/// The major version of the LLVM that a program is linked to, or carries: the library's name,
/// or what a bitcode writer stamps on its output (`LLVM22.1.8`).
fn llvm_inside(program: &[u8]) -> Option<u32> {
    ["libLLVM.so.", "libLLVM-", "LLVM"].iter().find_map(|mark| {
        program
            .windows(mark.len())
            .enumerate()
            .filter(|(_, window)| window == &mark.as_bytes())
            .find_map(|(at, _)| {
                let tail = program.get(at + mark.len()..)?;
                let digits = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
                // The dot tells a version from a mangled name that happens to hold a number.
                if tail.get(digits) != Some(&b'.') {
                    return None;
                }
                std::str::from_utf8(tail.get(..digits)?).ok()?.parse().ok()
            })
    })
}

/// Whether this is Debian or one of its kin, with apt.
pub fn has_apt() -> bool {
    Path::new("/etc/debian_version").exists() && find("apt-get").is_some()
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    // "Uid: real effective saved filesystem"
    status_field("Uid:").is_some_and(|ids| ids.split_whitespace().nth(1) == Some("0"))
}

/// A field of `/proc/self/status`, trimmed.
pub fn status_field(name: &str) -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().to_owned())
}

/// Where the BPF filesystem is mounted, if it is.
pub fn bpffs() -> Option<PathBuf> {
    mounted_bpffs(&fs::read_to_string("/proc/self/mounts").ok()?)
}

fn mounted_bpffs(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let target = fields.next()?;
        (fields.next() == Some("bpf")).then(|| PathBuf::from(target))
    })
}

fn compiler(toolchain: &'static str) -> Result<Compiler> {
    let about = stdout_of(rustc(toolchain).arg("-vV"))
        .with_context(|| format!("rustup has no working toolchain {toolchain}"))?;
    let (release, llvm) = read_about(&about)
        .with_context(|| format!("cannot read `rustc -vV` of toolchain {toolchain}"))?;
    if Version::parse(&release).is_none_or(|version| version < OLDEST_RUST) {
        bail!(
            "toolchain {toolchain} is {release}, needed is 1.{}",
            OLDEST_RUST.minor
        );
    }
    let sysroot = stdout_of(rustc(toolchain).args(["--print", "sysroot"]))
        .map(PathBuf::from)
        .with_context(|| format!("toolchain {toolchain} does not say where it lives"))?;
    let source = sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml");
    ensure!(
        source.exists(),
        "toolchain {toolchain} has no std source (rust-src)"
    );
    ensure!(
        sysroot.join("bin/cargo").exists(),
        "toolchain {toolchain} has no cargo"
    );
    Ok(Compiler {
        toolchain,
        release,
        llvm,
    })
}

fn rustc(toolchain: &str) -> Command {
    let mut rustup = command("rustup");
    rustup.args(["run", toolchain, "rustc"]);
    rustup
}

fn read_about(about: &str) -> Option<(String, u32)> {
    let field = |name: &str| about.lines().find_map(|line| line.strip_prefix(name));
    let llvm = Version::parse(field("LLVM version: ")?)?;
    Some((field("release: ")?.to_owned(), llvm.major))
}

fn link_probe(compiler: &Compiler, linker: &Path, dir: &Path) -> Result<()> {
    let [source, bitcode, object] = ["probe.rs", "probe.bc", "probe.o"].map(|name| dir.join(name));
    fs::write(&source, PROBE)?;
    let mut emit = rustc(compiler.toolchain);
    emit.args([
        "--edition=2024",
        "--crate-type=lib",
        "--emit=llvm-bc",
        "-O",
        "-o",
    ]);
    run_quietly(emit.arg(&bitcode).arg(&source))?;
    let mut link = command(linker);
    link.args(["--target=bpfel", "--export=probe"]);
    link.arg("--cpu-features=+allows-misaligned-mem-access")
        .arg("-o")
        .arg(&object);
    run_quietly(link.arg(&bitcode))?;
    let elf = fs::read(&object)?;
    ensure!(
        elf.get(18..20) == Some(&EM_BPF[..]),
        "the linker's output is no BPF object"
    );
    Ok(())
}

/// LLVM only warns about a feature it does not know, so any word on stderr is a failure.
fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && !complaint.contains("not a recognized feature"),
        "{}: {}",
        output.status,
        complaint.trim()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        let parse = |text| Version::parse(text).unwrap();
        assert!(parse("6.18.44-fc") > parse("6.1.0-37-amd64"));
        assert!(parse("1.96.0 (ac68faa20 2026-05-25)") >= OLDEST_RUST);
        assert!(parse("1.85.0") < OLDEST_RUST);
        assert_eq!(Version::parse("unknown"), None);
        assert_eq!(Version::parse("6"), None);
    }

    #[test]
    fn release_and_llvm_are_read() {
        let about =
            "rustc 1.96.0 (ac68faa20)\nbinary: rustc\nrelease: 1.96.0\nLLVM version: 22.1.8";
        assert_eq!(read_about(about), Some(("1.96.0".to_owned(), 22)));
        assert_eq!(read_about("release: 1.96.0"), None);
    }

    #[test]
    fn the_linkers_llvm_is_found_in_its_file() {
        assert_eq!(llvm_inside(b"\0LLVMFoo\0libLLVM.so.22.1\0"), Some(22));
        assert_eq!(llvm_inside(b"\0libLLVM-19.so\0"), Some(19));
        assert_eq!(llvm_inside(b"LLVM_VERSION\0LLVM23.1.0-rust\0"), Some(23));
        assert_eq!(llvm_inside(b"LLVM 1 LLVM7x LLVM.a LLVM22"), None);
    }

    #[test]
    fn bpffs_is_found_by_type_not_by_name() {
        let mounts = "tmpfs /run/bpf tmpfs rw 0 0\nnone /sys/fs/bpf bpf rw,nosuid 0 0\n";
        assert_eq!(mounted_bpffs(mounts), Some(PathBuf::from("/sys/fs/bpf")));
        assert_eq!(mounted_bpffs("bpf /mnt ext4 rw 0 0\n"), None);
    }
}
