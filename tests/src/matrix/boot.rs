//! The first process of a guest, which has nothing but this program, its libraries and some modules.

use std::{
    env, fs, io,
    path::Path,
    process::{self, Command},
    thread,
    time::Duration,
};

use super::{RESULT, STEP};
use crate::sys::guest;

/// Modules to load, named in the order in which they need each other.
const MODULES: &str = "/modules";

/// Whether this process is the first one.
pub fn is_first() -> bool {
    process::id() == 1
}

/// Mounts what the filter needs, loads modules, asks the kernel in a process of its own, whose lost
/// capabilities this one still has, and ends the machine.
pub fn run() -> ! {
    let done = set_up().and_then(|()| Command::new(env::current_exe()?).status());
    match done {
        Ok(status) if matches!(status.code(), Some(0 | 1)) => {}
        Ok(status) => println!("{RESULT}{}", failure(&status.to_string())),
        Err(error) => println!("{RESULT}{}", failure(&format!("cannot start: {error}"))),
    }
    if let Err(error) = guest::power_off() {
        println!("{STEP}cannot power off: {error}");
    }
    // Returning would be a panic of the kernel, whose message would hide the result.
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}

fn failure(error: &str) -> serde_json::Value {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    serde_json::json!({"release": release.trim(), "result": "failed", "error": error})
}

fn set_up() -> io::Result<()> {
    for (kind, target) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        fs::create_dir_all(target)?;
        mount(kind, target)?;
    }
    mount("bpf", "/sys/fs/bpf")?;
    let mut modules = fs::read_dir(MODULES)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    modules.sort();
    for module in modules {
        let named = |error| io::Error::other(format!("{}: {error}", module.display()));
        guest::load_module(&module).map_err(named)?;
    }
    Ok(())
}

fn mount(kind: &str, target: &str) -> io::Result<()> {
    let named = |error| io::Error::other(format!("mount of {kind} on {target}: {error}"));
    guest::mount(kind, Path::new(target)).map_err(named)
}
