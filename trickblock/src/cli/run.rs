//! `trickblock run`: the daemon.

use std::{
    io::{self, IsTerminal as _, Write},
    path::PathBuf,
};

use super::{Exit, failed};
use crate::{
    config::{Config, ConfigError, Hook, Mode},
    daemon,
};

/// Filter interfaces, and keep the filter current from feeds.
///
/// The filter stays on when this ends; `trickblock off` switches it off. Needs CAP_BPF, CAP_PERFMON
/// and CAP_NET_ADMIN. TRICKBLOCK_LOG sets the log level (error, warn, info, debug).
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "trickblock run -c FILE\n       trickblock run -i IFACE... --feed URL|FILE..."
)]
pub struct Args {
    /// The configuration (docs/config.md). SIGHUP or `trickblock reload` reads it again.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["interface", "feed"], required_unless_present_any = ["interface", "feed"])]
    pub config: Option<PathBuf>,
    /// Interfaces to filter, without a configuration.
    #[arg(short, long, num_args = 1.., value_name = "IFACE", requires = "feed")]
    pub interface: Vec<String>,
    /// Feeds: URLs, files, directories, or `-` for standard input.
    #[arg(long, num_args = 1.., value_name = "URL|FILE", requires = "interface")]
    pub feed: Vec<String>,
    /// Where packets that arrive are seen: `auto`, `xdp`, `tcx` or `clsact`.
    #[arg(long, requires = "interface")]
    pub hook: Option<Hook>,
    /// Whom to protect: `gateway` (a network behind this host), `host`, or `auto`.
    #[arg(long, requires = "interface")]
    pub mode: Option<Mode>,
    /// Where last good copies are kept.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// The control socket.
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// The directory of the pins, on a BPF file system.
    #[arg(long, value_name = "DIR")]
    pub pins: Option<PathBuf>,
    /// Log as JSON lines.
    #[arg(long)]
    pub json: bool,
}

/// Exit 0 after a signal, 1 where it could not start or go on, 2 where the configuration is wrong.
pub fn run(args: &Args, err: &mut dyn Write) -> io::Result<Exit> {
    let config = match config(args) {
        Ok(config) => config,
        Err(error) => {
            failed(err, &error);
            return Ok(Exit::Usage);
        }
    };
    log_to_stderr(args.json);
    Ok(match daemon::run(config, args.config.clone()) {
        Ok(()) => Exit::Ok,
        Err(error) => failed(err, &error),
    })
}

fn config(args: &Args) -> Result<Config, ConfigError> {
    let mut config = match &args.config {
        Some(file) => Config::load(file)?,
        None => Config::from_flags(&args.interface, &args.feed)?,
    };
    config.filter.mode = args.mode.unwrap_or(config.filter.mode);
    for interface in &mut config.interfaces {
        interface.hook = args.hook.unwrap_or(interface.hook);
    }
    let paths = &mut config.paths;
    let flags = [
        (&args.state, &mut paths.state),
        (&args.socket, &mut paths.socket),
        (&args.pins, &mut paths.pins),
    ];
    for (flag, path) in flags {
        if let Some(flag) = flag {
            path.clone_from(flag);
        }
    }
    Ok(config)
}

fn log_to_stderr(json: bool) {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter =
        EnvFilter::try_from_env("TRICKBLOCK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false);
    if json {
        builder.json().init();
    } else {
        builder.with_ansi(io::stderr().is_terminal()).init();
    }
}
