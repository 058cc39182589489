//! Lines that the program logs when it is built with `debug-log`: for debugging the program only, the
//! shipped one has no log call.

use std::{thread, time::Duration};

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

const PERIOD: Duration = Duration::from_millis(100);

/// Hands lines to the log of user space.
struct ToTracing;

impl Log for ToTracing {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        tracing::info!("program: {}", record.args());
    }

    fn flush(&self) {}
}

/// Forwards the program's lines until the process ends.
pub(super) fn forward(ebpf: &mut Ebpf) {
    match EbpfLogger::init_with_logger(ebpf, ToTracing) {
        Ok(mut logger) => drop(thread::spawn(move || {
            loop {
                logger.flush();
                thread::sleep(PERIOD);
            }
        })),
        Err(error) => tracing::warn!("the program's log cannot be read: {error}"),
    }
}
