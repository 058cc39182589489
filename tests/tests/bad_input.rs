//! Bad input of every kind. Each case asserts the exit code, that the message names the thing and
//! the fix, and that a listed server's packets are still dropped afterwards.

#[path = "bad_input/environment.rs"]
mod environment;
#[path = "bad_input/feeds.rs"]
mod feeds;
#[path = "bad_input/files.rs"]
mod files;
#[path = "bad_input/pins.rs"]
mod pins;
#[path = "bad_input/running.rs"]
mod running;
#[path = "bad_input/start.rs"]
mod start;

use std::process::ExitCode;

use trickblock_tests::{
    cli::Output,
    gateway::Gateway,
    harness::{self, Need, Test},
};

fn main() -> ExitCode {
    let test = |name, run| Test {
        name,
        needs: XDP,
        run,
    };
    harness::main(&[
        test("configurations", start::configurations),
        test("allow_files", start::allow_files),
        test("interfaces", start::interfaces),
        test("privileges", environment::privileges),
        test("file_systems", environment::file_systems),
        test("no_kernel_btf", environment::no_kernel_btf),
        test("foreign_and_damaged_pins", pins::foreign_and_damaged_pins),
        test("stale_pins", pins::stale_pins),
        test("feed_bodies", feeds::bodies),
        test("feed_servers", feeds::servers),
        test("feed_files", files::feed_files),
        test("feed_directories", files::feed_directories),
        test("last_good_copies", files::last_good_copies),
        test("running_daemons", running::daemons),
        test("the_control_socket", running::control_socket),
        test("reloads", running::reloads),
        test("hanging_feeds", running::hanging_feeds),
        test("full_tables", running::full_tables),
        test("some_interfaces", running::some_interfaces),
    ])
}

const XDP: &[Need] = &[Need::Root, Need::Netns, Need::Bpf, Need::BpfFs, Need::Xdp];

/// What a command must say, and that the filter does not care.
fn refused(gateway: &Gateway, what: &str, output: &Output, code: i32, says: &[&str]) {
    assert_eq!(output.code, Some(code), "{what}: {output:?}");
    for part in says {
        assert!(
            output.stderr.contains(part),
            "{what}: no `{part}` in {}",
            output.stderr
        );
    }
    if let Err(error) = gateway.filters() {
        panic!("{what}: {error:#}\n{}", gateway.site.log());
    }
}

/// A gateway whose daemon has ended and left its filter on.
fn left_filtering() -> Gateway {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    assert!(daemon.terminate(END).unwrap().success());
    gateway.filters().unwrap();
    gateway
}

const END: std::time::Duration = std::time::Duration::from_secs(10);
