//! The command line: one verb a file.

pub mod check;
pub mod contacts;
mod daemon;
mod exit;
pub mod feeds;
pub mod hand;
pub mod list;
pub mod metrics;
pub mod output;
pub mod presets;
pub mod replay;
pub mod run;
pub mod status;
pub mod switch;
pub mod verify;
pub mod why;

use std::{ffi::OsString, fmt::Display, io::Write};

use clap::{Parser, Subcommand};

pub use self::exit::Exit;

/// Drops traffic to and from botnet C2 servers in XDP, fed by threat feeds.
#[derive(Debug, Parser)]
#[command(name = "trickblock", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Replay(replay::Args),
    Run(run::Args),
    Status(status::Args),
    List(list::Args),
    Why(why::Args),
    Contacts(contacts::Args),
    Metrics(metrics::Args),
    Verify(verify::Args),
    Feeds(feeds::Args),
    Presets(presets::Args),
    Block(hand::BlockArgs),
    Allow(hand::AllowArgs),
    /// Let everything pass: detach from every interface. Maps and counters stay; needs root.
    Off(switch::Args),
    /// Filter again after `off`; needs root.
    On(switch::Args),
    /// Read the configuration again and fetch every feed now; needs root.
    Reload(switch::Args),
}

/// Runs one command line, program name first. Results go to `out`, complaints to `err`.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(usage) => return explain(&usage, out, err),
    };
    let done = match cli.command {
        Command::Check(args) => check::run(&args, out, err),
        Command::Replay(args) => replay::run(&args, out, err),
        Command::Run(args) => run::run(&args, err),
        Command::Status(args) => status::run(&args, out, err),
        Command::List(args) => list::run(&args, out, err),
        Command::Why(args) => why::run(&args, out, err),
        Command::Contacts(args) => contacts::run(&args, out, err),
        Command::Metrics(args) => metrics::run(&args, out, err),
        Command::Verify(args) => verify::run(&args, out, err),
        Command::Feeds(args) => feeds::run(&args, out, err),
        Command::Presets(args) => presets::run(&args, out, err),
        Command::Block(args) => hand::block(&args, out, err),
        Command::Allow(args) => hand::allow(&args, out, err),
        Command::Off(args) => switch::off(&args, out, err),
        Command::On(args) => switch::on(&args, out, err),
        Command::Reload(args) => switch::reload(&args, out, err),
    };
    match done.and_then(|exit| out.flush().map(|()| exit)) {
        Ok(exit) => exit,
        Err(error) => failed(err, &error),
    }
}

/// Reports an error that ends the command.
fn failed(err: &mut dyn Write, error: &dyn Display) -> Exit {
    // When even stderr is gone there is nobody left to tell.
    let _ = writeln!(err, "trickblock: {error}");
    Exit::Failed
}

/// Help and version are answers, everything else is a mistake in the command line.
fn explain(usage: &clap::Error, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let text = usage.render();
    let written = match usage.use_stderr() {
        true => write!(err, "{text}").map(|()| Exit::Usage),
        false => write!(out, "{text}").map(|()| Exit::Ok),
    };
    match written.and_then(|exit| out.flush().map(|()| exit)) {
        Ok(exit) => exit,
        Err(_) => Exit::Failed,
    }
}
