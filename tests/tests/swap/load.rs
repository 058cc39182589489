//! Swaps while packets are judged.

use std::{
    os::fd::OwnedFd,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use trickblock::kernel::Maps;
use trickblock_tests::{
    bpf,
    kernel::{Counts, counted_since, counts, entries},
};

use crate::{A, Loaded, frames, loaded, with_fillers};

const SWAPS: usize = 1_000;

const B: [&str; 5] = [
    "monitor 203.0.113.7",
    "drop 203.0.113.8",
    "monitor 2001:db8:c2::7",
    "drop 2001:db8:c2::8",
    "drop 198.51.100.0/24:443",
];

pub fn no_packet_sees_a_mixture() {
    let Loaded { dir, maps, program } = loaded();
    let sets = [with_fillers(&A), with_fillers(&B)];
    maps.swap(&sets[1], &[], 1).unwrap();
    let before = counts(&maps);
    let done = AtomicBool::new(false);
    let runs = thread::scope(|scope| {
        let runner = scope.spawn(|| run_until(&program, &done));
        let swapper = Maps::open(&dir.pins()).unwrap();
        for (seed, set) in (0..).zip(sets.iter().cycle()).take(SWAPS) {
            // Another seed moves every entry.
            swapper.swap(set, &[], seed << 8).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        runner.join().unwrap()
    });

    let mut counted = counted_since(&before, &counts(&maps));
    let mut take = |reason, side| counted.remove(&(reason, Some(side))).unwrap_or_default().0;
    let (by_a, by_b, by_both) = (
        take("address", "source"),
        take("address", "destination"),
        take("prefix_port", "destination"),
    );
    println!("{SWAPS} swaps under {runs:?} packets: {by_a} by A, {by_b} by B");
    assert!(counted.is_empty(), "{counted:?}");
    assert_eq!(
        (by_a + by_b, by_both),
        (runs[0] + runs[1], runs[2]),
        "a packet found nothing"
    );
    assert!(
        by_a > runs[0] / 10 && by_b > runs[0] / 10,
        "both sets were in force"
    );
    assert_eq!(maps.generation().unwrap(), 1 + SWAPS as u64);
}

/// Runs the program on all frames in turn; how often each. One run per call: repeating makes the
/// kernel install a dispatcher first, which waits longer than a swap takes.
fn run_until(program: &OwnedFd, done: &AtomicBool) -> [u64; 3] {
    let (frames, mut runs) = (frames(), [0; 3]);
    while !done.load(Ordering::Relaxed) {
        for (frame, runs) in frames.iter().zip(&mut runs) {
            bpf::test_run(program, frame, 1).unwrap();
            *runs += 1;
        }
    }
    runs
}

/// The proof above is worth something only if a mixture is counted as what no set would say.
pub fn a_mixture_would_be_seen() {
    let Loaded {
        dir: _dir,
        maps,
        program,
    } = loaded();
    let said = |rules: &[&str], frame: &[u8]| -> Counts {
        maps.swap(&entries(rules).unwrap(), &[], 1).unwrap();
        let before = counts(&maps);
        bpf::test_run(&program, frame, 1).unwrap();
        counted_since(&before, &counts(&maps))
    };
    let [v4, v6, common] = frames();
    let bytes = |frame: &[u8]| u64::try_from(frame.len()).unwrap();
    for frame in [&v4, &v6] {
        let one = |reason, side| Counts::from([((reason, Some(side)), (1, bytes(frame)))]);
        assert_eq!(said(&A, frame), one("address", "source"));
        assert_eq!(said(&B, frame), one("address", "destination"));
        // The source as B has it, the destination as A has it.
        let mixed = [B[0], A[1], B[2], A[3]];
        assert_eq!(said(&mixed, frame), one("monitor_address", "destination"));
        assert_eq!(
            said(&[], frame),
            Counts::new(),
            "a half that is being filled"
        );
    }
    assert_eq!(said(&[], &common), Counts::new());
}

/// The list is replaced entry by entry: what is in both must be protected throughout, and what is in
/// neither dropped.
pub fn never_block_changes_leave_no_gap() {
    let Loaded { dir, maps, program } = loaded();
    maps.swap(
        &entries(&["drop 198.51.100.0/24:443", "drop 203.0.113.7"]).unwrap(),
        &[0, 1],
        1,
    )
    .unwrap();
    let lists = [
        ["hard 198.51.100.9", "hard 192.0.2.1"],
        ["hard 198.51.100.9", "own 2001:db8::/32"],
    ];
    let lists = lists.map(|list| trickblock_tests::kernel::never(&list).unwrap());
    let mut maps_too = Maps::open(&dir.pins()).unwrap();
    maps_too.set_never_block(&lists[0]).unwrap();
    let before = counts(&maps);
    let done = AtomicBool::new(false);
    let runs = thread::scope(|scope| {
        let runner = scope.spawn(|| run_until(&program, &done));
        for list in lists.iter().cycle().take(2_000) {
            maps_too.set_never_block(list).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        runner.join().unwrap()
    });
    let counted = counted_since(&before, &counts(&maps));
    assert_eq!(counted[&("never_block", Some("destination"))].0, runs[2]);
    assert_eq!(counted[&("address", Some("source"))].0, runs[0]);
    assert_eq!(counted.len(), 2, "{counted:?}");
}
