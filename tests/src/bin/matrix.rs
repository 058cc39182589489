//! `cargo xtask matrix` runs this on every kernel: as the first process of a guest, or as root here.

use std::process::ExitCode;

use trickblock_tests::matrix::{ask, boot};

fn main() -> ExitCode {
    if boot::is_first() {
        boot::run();
    }
    if ask() {
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}
