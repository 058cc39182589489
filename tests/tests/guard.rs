//! Whatever a feed says, nothing that is protected is cut off: very many tiny feeds against random guards,
//! judged by lists that are searched from end to end, and, for some, by the compiled table.
//!
//! A failure names the seed of its round; `TRICKBLOCK_SEED` repeats it, `TRICKBLOCK_FEEDS` says how many feeds.

#[path = "guard/draw.rs"]
mod draw;
#[path = "guard/judge.rs"]
mod judge;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use trickblock::policy::{Action, Context, Guard, Kinds, merge};
use trickblock_tests::random::Random;

const FEEDS: u64 = 1_000_000;
/// Feeds that meet the same guard.
const ROUND: u64 = 10;
/// Every so many rounds the table is compiled as well.
const COMPILED: u64 = 50;

/// What the feeds came to: a test that refuses all or nothing would prove nothing.
#[derive(Default)]
struct Tally {
    feeds: AtomicU64,
    drops: AtomicU64,
    refused: AtomicU64,
    softened: AtomicU64,
    compiled: AtomicU64,
}

#[test]
fn nothing_that_is_protected_is_ever_dropped() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse().ok());
    let (seed, feeds) = (number("TRICKBLOCK_SEED"), number("TRICKBLOCK_FEEDS"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first: u64 = seed.unwrap_or(now.as_secs() << 24);
    let rounds = feeds.unwrap_or(FEEDS).div_ceil(ROUND);
    println!("seed {first}, {rounds} rounds of {ROUND} feeds");
    let (next, tally) = (AtomicU64::new(0), Tally::default());
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= rounds {
                        return;
                    }
                    let seed = first.wrapping_add(number);
                    let compiled = number % COMPILED == 0;
                    let round = || play(seed, compiled, &tally);
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(round)) {
                        eprintln!("TRICKBLOCK_SEED={seed} TRICKBLOCK_FEEDS=1 repeats it");
                        resume_unwind(panic);
                    }
                }
            });
        }
    });
    tally.assert_meaningful(rounds * ROUND);
}

/// One guard, and feeds that do their worst.
fn play(seed: u64, compiled: bool, tally: &Tally) {
    let mut random = Random::new(seed);
    let lists = draw::lists(&mut random);
    let (guard, kinds) = (Guard::new(lists.clone()), Kinds::default());
    let protected = guard.protected();
    judge::list(&lists, &protected, &mut random);
    for feed in 0..ROUND {
        let rows = draw::rows(&mut random, &lists);
        let wide = random.percent(70);
        let context = Context {
            guard: &guard,
            kinds: &kinds,
            now: None,
        };
        let set = merge(&[draw::feed(&rows, wide)], context);
        let kept = set.rules.len() as u64 + set.duplicates + set.refused;
        assert_eq!(kept, rows.len() as u64, "{set:#?}");
        judge::rules(&lists, &set, wide);
        if compiled && feed == 0 {
            judge::table(&lists, &set, guard.protected_values(), &mut random);
            tally.compiled.fetch_add(1, Ordering::Relaxed);
        }
        let drops = set.rules.iter().filter(|rule| rule.action == Action::Drop);
        tally
            .drops
            .fetch_add(drops.count() as u64, Ordering::Relaxed);
        tally.refused.fetch_add(set.refused, Ordering::Relaxed);
        tally.softened.fetch_add(set.softened, Ordering::Relaxed);
        tally.feeds.fetch_add(1, Ordering::Relaxed);
    }
}

impl Tally {
    fn assert_meaningful(&self, feeds: u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        println!(
            "{} feeds: {} rules drop, {} rows refused, {} softened; {} tables compiled",
            of(&self.feeds),
            of(&self.drops),
            of(&self.refused),
            of(&self.softened),
            of(&self.compiled)
        );
        assert_eq!(of(&self.feeds), feeds);
        if feeds >= 10_000 {
            for count in [&self.drops, &self.refused] {
                assert!(of(count) > feeds / 5, "{}", of(count));
            }
            assert!(of(&self.softened) > feeds / 50);
        }
    }
}
