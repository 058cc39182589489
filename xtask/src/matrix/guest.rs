//! The only files of a guest: the program, its libraries, some modules.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use super::{archive::Archive, modules::Module};
use crate::process::{command, stdout_of};

/// Writes the archive that a kernel unpacks and whose `/init` it starts.
///
/// # Errors
/// If the program or a library cannot be read.
pub fn pack(program: &Path, modules: &[Module], dir: &Path, archive: &Path) -> Result<()> {
    let mut packed = Archive::default();
    for name in ["/dev", "/proc", "/sys", "/modules"] {
        packed.directory(name);
    }
    packed.file("/init", &stripped(program, dir)?);
    for library in libraries(program)? {
        let content = fs::read(&library);
        let content = content.with_context(|| format!("library {}", library.display()))?;
        parents(&library, &mut packed);
        packed.file(&library.to_string_lossy(), &content);
    }
    for (number, module) in modules.iter().enumerate() {
        // Loaded in the order of their names.
        let name = format!("/modules/{number:02}-{}.ko", module.name);
        packed.file(&name, &module.content);
    }
    let written = fs::write(archive, packed.finish());
    written.with_context(|| format!("cannot write {}", archive.display()))
}

/// Without what only a debugger reads, which is most of it. Needs no `strip` to work.
fn stripped(program: &Path, dir: &Path) -> Result<Vec<u8>> {
    let small = dir.join("init");
    let mut strip = command("strip");
    strip.arg("-o").arg(&small).arg(program);
    let file = match stdout_of(&mut strip) {
        Some(_) => &small,
        None => program,
    };
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The shared libraries and the loader, each at the place where the program looks for it.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let said = stdout_of(command("ldd").arg(program));
    let libraries = named(&said.context("ldd does not tell the libraries of the program")?);
    ensure!(!libraries.is_empty(), "ldd names no library");
    Ok(libraries)
}

fn named(said: &str) -> Vec<PathBuf> {
    let words = said.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        words.find(|word| word.starts_with('/'))
    });
    words.map(PathBuf::from).collect()
}

fn parents(file: &Path, packed: &mut Archive) {
    let mut dirs: Vec<_> = file.ancestors().skip(1).collect();
    dirs.reverse();
    for dir in dirs.into_iter().skip(1) {
        packed.directory(&dir.to_string_lossy());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_loader_are_read() {
        let said = "\tlinux-vdso.so.1 (0x00007f)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x0)\n\t/lib64/ld-linux.so.2 (0x1)\n";
        let expected = ["/lib/x/libc.so.6", "/lib64/ld-linux.so.2"].map(PathBuf::from);
        assert_eq!(named(said), expected);
        assert!(named("\tstatically linked\n").is_empty());
    }
}
