//! The project's own tasks, one file per task: `cargo xtask <task>`.
//!
//! This crate depends on no other member of the workspace: it must build and run on a machine
//! that has no eBPF toolchain yet, because it is what installs one.

mod bench;
mod demo;
mod docker_bench;
mod doctor;
mod fuzz;
mod lint;
mod matrix;
mod probe;
mod process;
mod setup;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, test and demo tasks of trickblock.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what building and testing needs and this machine lacks; every task calls it
    Setup,
    /// Says what this machine lacks and how to get it; exits with 1 if something needed is missing
    Doctor(doctor::Args),
    /// Formatting, clippy, licences and sources of dependencies, and the layer rule
    Lint,
    /// Runs every test and ends with one line: N passed, N failed, N skipped
    Test(test::Args),
    /// Shows the main job in a lab of network namespaces (needs root)
    Demo(demo::Args),
    /// Asks other kernels and this one: load, fixtures, attach, swap (the host's part needs root)
    Matrix(matrix::Args),
    /// Measures what a packet, a new set and a start cost (needs root)
    Bench(bench::Args),
    /// Three answers to millions of packets: the program, the host, a model (needs root); --feeds: wrong feeds
    Fuzz(fuzz::Args),
    /// Measures a container's TCP throughput with the filter and without it (needs root)
    DockerBench(docker_bench::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Setup => setup::run(setup::Detail::Every),
        Task::Doctor(args) => doctor::run(&args),
        Task::Lint => lint::run(),
        Task::Test(args) => test::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Matrix(args) => matrix::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::DockerBench(args) => docker_bench::run(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
