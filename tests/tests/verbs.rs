//! The verbs as a user sees them: against a daemon, without one, and without anything.

#[path = "verbs/captures.rs"]
mod captures;
#[path = "verbs/checks.rs"]
mod checks;
#[path = "verbs/contacts.rs"]
mod contacts;
#[path = "verbs/growth.rs"]
mod growth;
#[path = "verbs/life.rs"]
mod life;
#[path = "verbs/questions.rs"]
mod questions;
#[path = "verbs/reload.rs"]
mod reload;
#[path = "verbs/replay.rs"]
mod replay;
#[path = "verbs/surroundings.rs"]
mod surroundings;

use std::{process::ExitCode, time::Duration};

use trickblock_tests::{
    cli::Output,
    gateway::Gateway,
    harness::{self, Need, Test},
};

fn main() -> ExitCode {
    let on = |needs| move |name, run| Test { name, needs, run };
    let (wire, kernel, anywhere) = (on(XDP), on(BPF), on(&[]));
    harness::main(&[
        anywhere("check_counts_several_files_as_one", checks::several_files),
        anywhere("check_reads_gzip", checks::gzip),
        anywhere(
            "check_takes_signed_lists_by_their_signature",
            checks::signed,
        ),
        anywhere("check_of_a_configuration", checks::configuration),
        kernel("output_may_be_cut_off", replay::broken_pipe),
        kernel("replay_has_a_line_for_every_packet", replay::every_packet),
        kernel("replay_reads_bare_ip_and_pcapng", replay::link_types),
        kernel("replay_refuses_what_it_cannot_read", replay::refusals),
        wire("status_in_every_situation", questions::status),
        wire("every_verb_speaks_json", questions::json),
        wire("list_names_sources_and_hits", questions::list),
        wire("why_explains_each_verdict", questions::why),
        wire("contacts_and_their_exit_codes", contacts::exit_codes),
        wire("no_contact_is_no_all_clear", contacts::unheard),
        wire("off_and_on_with_a_daemon", life::off_and_on),
        wire("off_and_on_without_a_daemon", life::off_and_on_alone),
        wire("filter_of_another_version", life::another_version),
        wire("a_kill_leaves_no_gap", life::kill),
        wire("the_last_good_copy_starts_the_filter", life::last_good_copy),
        wire(
            "reload_takes_feeds_and_interfaces",
            reload::feeds_and_interfaces,
        ),
        wire("reload_keeps_what_a_changed_feed_said", reload::sources),
        wire("reload_asks_no_server_before_its_floor", reload::floors),
        wire("reload_takes_modes_and_guards", reload::modes_and_guards),
        wire("monitor_per_feed", reload::monitor_per_feed),
        wire(
            "what_is_around_the_host_is_protected",
            surroundings::surroundings,
        ),
        wire("a_list_outgrows_its_table", growth::outgrown),
        wire("growth_follows_a_renamed_interface", growth::renamed),
    ])
}

const XDP: &[Need] = &[Need::Root, Need::Netns, Need::Bpf, Need::BpfFs, Need::Xdp];
const BPF: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs];
const END: Duration = Duration::from_secs(10);

/// A verb that must end with `code`.
fn verb(gateway: &Gateway, code: i32, words: &[&str]) -> Output {
    gateway.must(code, words)
}
