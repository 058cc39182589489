//! `cargo xtask matrix` runs this on every kernel: as the first process of a guest, or as root here.

mod alignment;

use std::process::ExitCode;

use trickblock_tests::matrix::{ask, boot};

fn main() -> ExitCode {
    alignment::choose();
    if boot::is_first() {
        boot::run();
    }
    if ask() {
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}
