//! What the operator has a say in: updates that change too much, what is blocked and allowed by hand, and how long things
//! stay.

#[path = "policy/canary.rs"]
mod canary;
#[path = "policy/hand.rs"]
mod hand;
#[path = "policy/held.rs"]
mod held;
#[path = "policy/life.rs"]
mod life;
#[path = "policy/remembered.rs"]
mod remembered;
#[path = "policy/stdin.rs"]
mod stdin;

use std::process::ExitCode;

use serde_json::Value;
use trickblock_tests::{
    cli::Output,
    gateway::{Gateway, wait_for},
    harness::{self, Need, Test},
};

fn main() -> ExitCode {
    let wire = |name, run| Test {
        name,
        needs: XDP,
        run,
    };
    harness::main(&[
        wire("a_flood_is_held_shown_and_approved", held::flood),
        wire("a_shrink_is_held_and_rejected", held::shrink),
        wire("an_empty_list_that_says_so_is_taken", held::says_empty),
        wire("rollback_goes_back_and_stays_there", held::rollback),
        wire("a_block_by_hand_is_live_and_kept", hand::block),
        wire("a_block_by_hand_ends", hand::block_ends),
        wire(
            "a_wide_block_by_hand_leaves_nothing_behind",
            hand::wide_block,
        ),
        wire("an_allowance_is_live_and_kept", hand::allow),
        wire("guards_hold_against_the_operator_too", hand::guarded),
        wire("a_block_that_drops_nothing_is_none", hand::idle),
        wire("what_a_feed_stops_naming_stays_a_while", life::hold_down),
        wire("a_harmless_trial_comes_into_force", canary::passes),
        wire("a_busy_trial_is_held", canary::busy),
        wire("authority_ends_with_its_feed", life::authority),
        wire("a_quorum_decides", life::quorum),
        wire("a_failed_trial_is_remembered", remembered::failed_trial),
        wire(
            "what_is_retracted_on_trial_does_not_come",
            remembered::retracted,
        ),
        wire("every_rejection_is_remembered", remembered::every_rejection),
        wire("an_approval_is_of_one_update", remembered::just_that_update),
        wire("rollback_ends_what_came_since", remembered::rollback_ends),
        wire(
            "an_earlier_version_stands_in_for_damage",
            remembered::damaged_copy,
        ),
        wire(
            "a_file_that_is_no_feed_stays_what_it_was",
            remembered::unread_file,
        ),
        wire("a_list_under_two_names_is_one_voice", remembered::one_voice),
        wire("a_first_body_is_tried_too", remembered::first_bodies),
        wire("what_is_kept_follows_a_name", remembered::renamed),
        wire(
            "what_is_approved_is_the_last_good_copy",
            remembered::approved_for_good,
        ),
        wire(
            "things_end_beside_a_feed_that_is_dead",
            remembered::ends_beside_a_dead_feed,
        ),
        wire(
            "decisions_wait_for_a_feed_to_come_back",
            remembered::taken_out_and_put_back,
        ),
        wire("a_trial_has_no_voice", remembered::trial_without_a_voice),
        wire(
            "by_hand_two_voices_count_as_well",
            remembered::by_hand_beside_two_voices,
        ),
        wire(
            "what_another_source_said_stays",
            remembered::left_by_another_source,
        ),
        wire(
            "what_is_rejected_stays_out_of_trials",
            remembered::rejected_in_a_trial,
        ),
        wire("standard_input_is_a_feed", stdin::feed),
    ])
}

const XDP: &[Need] = &[Need::Root, Need::Netns, Need::Bpf, Need::BpfFs, Need::Xdp];

/// A verb that must end with `code`.
fn verb(gateway: &Gateway, code: i32, words: &[&str]) -> Output {
    gateway.must(code, words)
}

/// As [`verb`] with `--json`, and its answer.
fn answer(gateway: &Gateway, code: i32, words: &[&str]) -> Value {
    verb(gateway, code, &[words, &["--json"]].concat())
        .json()
        .unwrap()
}

/// Waits until there is an earlier version: copies are written a moment after they are in force.
fn wait_for_version(gateway: &Gateway) {
    let look = || {
        let history = gateway.verb("feeds", &["history", "feodo", "--json"])?;
        let history = history.json()?;
        let versions = history["versions"].as_array().map_or(0, Vec::len);
        Ok((versions > 0).then_some(()))
    };
    wait_for("an earlier version", look).unwrap();
}

/// The feed `feodo` as `feeds` shows it, once it is as wanted.
fn wait_for_feed(gateway: &Gateway, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let found = wait_for("the feed", || {
        last = gateway.verb("feeds", &["--json"])?.json()?["feeds"][0].clone();
        Ok(wanted(&last).then(|| last.clone()))
    });
    found.unwrap_or_else(|error| panic!("{error}: {last:#}\n{}", gateway.site.log()))
}
