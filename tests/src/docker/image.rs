//! Images from files of this machine.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use super::{Engine, engine::output};
use crate::cli::binary;

/// A directory that becomes the root of an image.
#[derive(Debug)]
pub struct Root(PathBuf);

impl Root {
    /// An empty one, below the engine's directory.
    pub fn new(engine: &Engine, name: &str) -> anyhow::Result<Self> {
        let root = engine.dir().join("roots").join(name);
        fs::create_dir_all(&root).with_context(|| root.display().to_string())?;
        Ok(Self(root))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the image `name` of it.
    pub fn import(&self, engine: &Engine, name: &str) -> anyhow::Result<()> {
        let archive = self.0.with_extension("tar");
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(&self.0).arg("-cf").arg(&archive).arg(".");
        output(&mut tar)?.succeeded().context("tar")?;
        let archive = archive.to_str().context("a path in UTF-8")?;
        engine.done(&["import", archive, name]).map(drop)
    }
}

/// Programs that jobs in the tests use.
const APPLETS: [&str; 7] = ["sh", "cat", "nc", "sleep", "true", "echo", "timeout"];

/// Makes the image `busybox`: one static program by several names.
pub fn busybox(engine: &Engine) -> anyhow::Result<()> {
    let root = Root::new(engine, "busybox")?;
    let bin = root.path().join("bin");
    fs::create_dir_all(&bin).context("bin")?;
    let program = ["/bin/busybox", "/usr/bin/busybox"];
    let program = program.into_iter().find(|path| Path::new(path).exists());
    let program = program.context("no busybox: install the package busybox-static")?;
    fs::copy(program, bin.join("busybox")).context(program)?;
    for applet in APPLETS {
        symlink("busybox", bin.join(applet)).context(applet)?;
    }
    root.import(engine, "busybox")
}

/// Makes the image `trickblock` from the binary under test, as `packaging/docker` says.
pub fn trickblock(engine: &Engine) -> anyhow::Result<()> {
    let packaging = packaging();
    let context = engine.dir().join("roots/trickblock");
    let mut collect = Command::new("sh");
    collect
        .arg(packaging.join("collect.sh"))
        .arg(binary()?)
        .arg(&context);
    output(&mut collect)?.succeeded().context("collect.sh")?;
    let (file, context) = (packaging.join("Dockerfile"), context);
    let words = [file, context].map(|path| path.to_str().map(str::to_owned));
    let [Some(file), Some(context)] = words else {
        bail!("a path that is not UTF-8")
    };
    let build = [
        "build",
        "--quiet",
        "--tag",
        "trickblock",
        "--file",
        &file,
        &context,
    ];
    engine.done(&build).map(drop)
}

/// Where the files for users are.
pub fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/docker")
}
