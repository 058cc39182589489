//! The files that the rules are about.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// Hidden directories that hold our own text; all others are tools' business.
const HIDDEN: [&str; 3] = [".ci", ".cargo", ".github"];
/// A text file beyond this is data.
const LARGEST: u64 = 1 << 20;

/// A text file of the workspace.
pub struct Source {
    /// Relative to the workspace's root, with `/`.
    pub file: String,
    pub text: String,
}

impl Source {
    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        Path::new(&self.file)
            .extension()
            .is_some_and(|extension| extension == "rs")
    }
}

/// Every text file below `root`, sorted; build output and other tools' directories left out.
///
/// # Errors
/// If a directory or a file cannot be read.
pub fn all(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        let entries = fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))?;
        for entry in entries {
            let (entry, path) = entry.map(|entry| (entry.file_type(), entry.path()))?;
            match entry? {
                kind if kind.is_dir() && is_ours(&path) => dirs.push(path),
                kind if kind.is_file() => sources.extend(read(root, &path)?),
                _ => {}
            }
        }
    }
    sources.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(sources)
}

fn is_ours(dir: &Path) -> bool {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    name != "target" && (!name.starts_with('.') || HIDDEN.contains(&name.as_ref()))
}

/// `None` for what is no text of ours: binaries, captures, huge files.
fn read(root: &Path, path: &Path) -> Result<Option<Source>> {
    let about = || format!("reading {}", path.display());
    if fs::metadata(path).with_context(about)?.len() > LARGEST {
        return Ok(None);
    }
    let Ok(text) = String::from_utf8(fs::read(path).with_context(about)?) else {
        return Ok(None);
    };
    let file = path
        .strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned();
    // In a worktree `.git` is a file, and it holds a path of the machine by design.
    Ok((file != ".git").then_some(Source { file, text }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;

    #[test]
    fn the_workspace_is_walked_without_build_output() {
        let files: Vec<_> = all(&process::root())
            .unwrap()
            .into_iter()
            .map(|source| source.file)
            .collect();
        assert!(
            files.iter().any(|file| file == "xtask/src/lint/sources.rs"),
            "{files:?}"
        );
        assert!(
            files.iter().any(|file| file == ".cargo/config.toml"),
            "{files:?}"
        );
        assert!(
            !files
                .iter()
                .any(|file| file.starts_with("target/") || file == ".git")
        );
        assert!(files.is_sorted());
    }
}
