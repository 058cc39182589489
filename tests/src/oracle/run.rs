//! Rounds on every core until there is enough of them, or one finds a difference.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{Found, Plant, Report, Shares, Witnesses, draw::share_a_program, round};

/// How long it may take, and what it starts from.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// Enough packets, if the shares are as demanded; `None`: as many as there is time for.
    pub packets: Option<u64>,
    pub time: Duration,
    pub workers: usize,
    pub plant: Option<Plant>,
    /// Without it the kernel is not asked, and nobody needs to be root.
    pub program: bool,
    /// Frames of captures, to be changed a little.
    pub captured: Vec<Vec<u8>>,
    /// Every reason there is.
    pub reasons: BTreeSet<&'static str>,
}

/// How often progress is told.
const TICK: Duration = Duration::from_secs(10);

/// What the workers share.
struct Common<'a> {
    plan: &'a Plan,
    started: Instant,
    next: AtomicU64,
    done: AtomicBool,
    shares: Mutex<Shares>,
    end: Mutex<Option<anyhow::Result<Found>>>,
}

/// Runs the plan, calling `progress` with a line now and then. Panics where the kernel refuses the
/// program.
pub fn run(plan: &Plan, mut progress: impl FnMut(&str)) -> Report {
    let common = Common {
        plan,
        started: Instant::now(),
        next: AtomicU64::new(plan.seed),
        done: AtomicBool::new(false),
        shares: Mutex::default(),
        end: Mutex::new(None),
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.workers.max(1))
            .map(|_| scope.spawn(|| common.work()))
            .collect();
        let mut told = Instant::now();
        while workers.iter().any(|worker| !worker.is_finished()) {
            thread::sleep(Duration::from_millis(50));
            if told.elapsed() >= TICK {
                told = Instant::now();
                progress(&common.line());
            }
        }
    });
    common.report()
}

impl Common<'_> {
    fn work(&self) {
        // Whatever ends this worker, also a panic, ends the others.
        let _done = Done(&self.done);
        let plan = self.plan;
        let mut witnesses = plan.program.then(|| Witnesses::load(plan.plant));
        let mut seed = self.take(None);
        while !self.is_over() {
            let mut shares = Shares::default();
            let found = match &mut witnesses {
                Some(witnesses) => round::run(witnesses, seed, &plan.captured, &mut shares),
                None => round::run_without_program(seed, &plan.captured, &mut shares),
            };
            lock(&self.shares).add(&shares);
            if let Some(end) = found.transpose() {
                lock(&self.end).get_or_insert(end);
                return;
            }
            seed = self.take(Some(seed));
        }
    }

    /// The next seed: those that share a loaded program go to one worker.
    fn take(&self, last: Option<u64>) -> u64 {
        if let Some(next) = last.map(|last| last.wrapping_add(1))
            && share_a_program(next, next.wrapping_sub(1))
        {
            return next;
        }
        let group = |mut seed: u64| {
            seed = seed.wrapping_add(1);
            while share_a_program(seed, seed.wrapping_sub(1)) {
                seed = seed.wrapping_add(1);
            }
            Some(seed)
        };
        let order = Ordering::Relaxed;
        self.next
            .fetch_update(order, order, group)
            .unwrap_or(self.plan.seed)
    }

    fn is_over(&self) -> bool {
        let enough = || {
            let shares = lock(&self.shares);
            let wanted = self.plan.packets.unwrap_or(u64::MAX);
            shares.packets >= wanted && shares.missing(&self.plan.reasons).is_empty()
        };
        self.done.load(Ordering::Relaxed) || self.started.elapsed() >= self.plan.time || enough()
    }

    fn line(&self) -> String {
        let shares = lock(&self.shares).clone();
        let seconds = self.started.elapsed().as_secs().max(1);
        let (reason, count) = shares.rarest(&self.plan.reasons).unwrap_or_default();
        format!(
            "[{seconds:4} s] {} packets, {} /s, {} % hits, rarest: {reason} ({count})",
            shares.packets,
            shares.packets / seconds,
            shares.hits_percent(),
        )
    }

    fn report(self) -> Report {
        let end = self
            .end
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let (found, error) = match end {
            None => (None, None),
            Some(Ok(found)) => (Some(found), None),
            Some(Err(error)) => (None, Some(format!("{error:#}"))),
        };
        let shares = self
            .shares
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let mut missing = shares.missing(&self.plan.reasons);
        if let Some(wanted) = self.plan.packets.filter(|wanted| shares.packets < *wanted) {
            missing.insert(0, format!("{} packets, not {wanted}", shares.packets));
        }
        Report {
            seed: self.plan.seed,
            elapsed: self.started.elapsed(),
            workers: self.plan.workers,
            shares,
            missing,
            found,
            error,
        }
    }
}

struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
