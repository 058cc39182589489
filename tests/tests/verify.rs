//! `trickblock verify`: nothing to tell where nothing is wrong, each kind of harm found, and no trace of it
//! all in counters and traffic.

#[path = "verify/alone.rs"]
mod alone;
#[path = "verify/harm.rs"]
mod harm;
#[path = "verify/place.rs"]
mod place;
#[path = "verify/right.rs"]
mod right;

use std::process::ExitCode;

use trickblock_tests::harness::{self, Need, Test};

fn main() -> ExitCode {
    let on = |needs| move |name, run| Test { name, needs, run };
    let (wire, anywhere) = (on(XDP), on(&[]));
    harness::main(&[
        anywhere("its_classes_are_those_of_the_fixture_table", right::classes),
        wire("all_is_right_at_every_hook", right::every_hook),
        wire("a_long_list_is_sampled", right::sampled),
        wire("traffic_and_counters_are_left_alone", right::undisturbed),
        wire("monitor_mode_and_tunnels_are_expected", right::settings),
        wire("a_broken_table_is_found", harm::table),
        wire("a_shortened_never_block_list_is_found", harm::never_block),
        wire("a_wrong_interface_entry_is_found", harm::interfaces),
        wire("another_program_behind_a_hook_is_found", harm::program),
        wire("without_a_daemon_the_pins_are_enough", alone::pins),
        wire("what_is_not_everywhere_is_degraded", alone::degraded),
        wire("what_others_may_let_past_is_degraded", alone::overtaken),
        wire("what_cannot_be_looked_at_is_said", alone::refused),
    ])
}

const XDP: &[Need] = &[Need::Root, Need::Netns, Need::Bpf, Need::BpfFs, Need::Xdp];
