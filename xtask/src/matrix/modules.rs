//! Kernel modules: where a package has them, and which others they need first.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};

use crate::process::command;

/// A module, ready to be loaded.
pub struct Module {
    pub name: String,
    pub content: Vec<u8>,
}

/// `wanted` and all that they need, in an order in which they load. A module that the kernel of `dir`
/// does not have is built into it, or the checks will tell.
///
/// # Errors
/// If a module cannot be read.
pub fn needed(dir: &Path, wanted: &[&str]) -> Result<Vec<Module>> {
    let mut files = BTreeMap::new();
    find(dir, &mut files).with_context(|| format!("modules in {}", dir.display()))?;
    let mut modules = Vec::new();
    for name in wanted {
        add(name, &files, &mut modules)?;
    }
    Ok(modules)
}

fn add(name: &str, files: &BTreeMap<String, PathBuf>, modules: &mut Vec<Module>) -> Result<()> {
    let known = modules.iter().any(|module| module.name == name);
    let Some(file) = files.get(name).filter(|_| !known) else {
        return Ok(());
    };
    let content = read(file).with_context(|| format!("module {}", file.display()))?;
    for needed in depends(&content) {
        add(&needed, files, modules)?;
    }
    modules.push(Module {
        name: name.to_owned(),
        content,
    });
    Ok(())
}

/// Files by module name, which is written with `_` also where the file has `-`.
fn find(dir: &Path, files: &mut BTreeMap<String, PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            find(&path, files)?;
        }
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        if let Some((name, "" | ".xz")) = name.as_deref().and_then(|name| name.split_once(".ko")) {
            files.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>> {
    if file.extension().is_none_or(|end| end != "xz") {
        return Ok(fs::read(file)?);
    }
    let mut xz = command("xz");
    let output = xz.args(["--decompress", "--stdout"]).arg(file);
    let output = output.stdin(Stdio::null()).output().context("xz")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "xz: {}", complaint.trim());
    Ok(output.stdout)
}

/// The names in the module's own `depends=`.
fn depends(content: &[u8]) -> Vec<String> {
    const MARK: &[u8] = b"\0depends=";
    let Some(at) = content.windows(MARK.len()).position(|part| part == MARK) else {
        return Vec::new();
    };
    let names = content[at + MARK.len()..].split(|byte| *byte == 0).next();
    let names = String::from_utf8_lossy(names.unwrap_or_default());
    let names = names.split(',').filter(|name| !name.is_empty());
    names.map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read() {
        let module = |depends: &str| format!("ELF\0license=GPL\0depends={depends}\0name=x\0");
        assert_eq!(
            depends(module("crc-ccitt,b").as_bytes()),
            ["crc_ccitt", "b"]
        );
        assert!(depends(module("").as_bytes()).is_empty());
        assert!(depends(b"ELF").is_empty());
    }

    #[test]
    fn what_is_needed_comes_first_and_once() {
        let dir = std::env::temp_dir().join(format!("trickblock-modules-{}", std::process::id()));
        fs::create_dir_all(dir.join("net")).unwrap();
        for (name, depends) in [
            ("ipv6", "crc-ccitt"),
            ("net/veth", "ipv6"),
            ("crc-ccitt", ""),
        ] {
            let content = format!("\0depends={depends}\0");
            fs::write(dir.join(format!("{name}.ko")), content).unwrap();
        }
        let modules = needed(&dir, &["ipv6", "veth", "built_in"]).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        let names: Vec<_> = modules.into_iter().map(|module| module.name).collect();
        assert_eq!(names, ["crc_ccitt", "ipv6", "veth"]);
    }
}
