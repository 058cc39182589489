//! Every direction: what arrives and what leaves, by XDP, TCX and clsact, with real packets that are
//! counted where they end.

#[path = "hooks/beside.rs"]
mod beside;
#[path = "hooks/closed.rs"]
mod closed;
#[path = "hooks/directions.rs"]
mod directions;
#[path = "hooks/forwarded.rs"]
mod forwarded;
#[path = "hooks/gate.rs"]
mod gate;
#[path = "hooks/jumbo.rs"]
mod jumbo;
#[path = "hooks/layer3.rs"]
mod layer3;
#[path = "hooks/life.rs"]
mod life;
#[path = "hooks/running.rs"]
mod running;

use std::process::ExitCode;

use trickblock_tests::harness::{self, Need, Test};

fn main() -> ExitCode {
    let test = |name, run| Test {
        name,
        needs: XDP,
        run,
    };
    harness::main(&[
        test("what_the_host_sends_is_dropped", forwarded::own),
        test("a_forwarded_packet_is_judged_once", forwarded::once),
        test(
            "an_unfiltered_way_in_is_judged_on_the_way_out",
            forwarded::unfiltered,
        ),
        test("directions_are_counted_apart", directions::apart),
        test(
            "without_roles_no_direction_is_told",
            directions::without_roles,
        ),
        test("packets_without_ethernet_both_ways", layer3::both_ways),
        test("unknown_link_types_are_refused", layer3::refused),
        test("large_frames_are_judged_whole", jumbo::whole),
        test("headers_behind_the_linear_part", jumbo::behind),
        test("wrapped_frames_beyond_the_linear_part", jumbo::wrapped),
        test("beside_a_foreign_xdp_program", beside::xdp),
        test("foreign_tcx_programs_keep_running", beside::tcx),
        test("a_foreign_clsact_filter_is_left_alone", beside::clsact),
        test("the_ingress_qdisc_is_no_clsact", beside::ingress_qdisc),
        test("one_direction_is_better_than_none", running::half),
        test("flags_choose_hook_and_mode", running::flags),
        test("fail_closed_drops_what_is_malformed", closed::drops),
        test("every_hook_survives_its_process", life::survives),
        test("off_and_on_know_every_hook", life::off_and_on),
        test("another_choice_takes_over_without_a_gap", life::change),
        test("a_renamed_interface_keeps_its_hooks", life::renamed),
        test("an_interface_that_moves_away", life::moved),
        test("a_killed_daemon_leaves_no_gap_at_any_hook", running::killed),
        test(
            "an_interface_that_is_renamed_and_back_is_no_problem",
            running::renamed_and_back,
        ),
        test("a_new_interface_gets_every_hook", running::comes_back),
        test(
            "mode_and_roles_are_told_and_follow_the_routes",
            running::roles,
        ),
        test("a_reload_takes_hooks_and_strictness", running::reload),
        test("a_reload_takes_tunnels_and_nat64", running::constants),
    ])
}

const XDP: &[Need] = &[Need::Root, Need::Netns, Need::Bpf, Need::BpfFs, Need::Xdp];
