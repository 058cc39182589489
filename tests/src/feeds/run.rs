//! Rounds on every core until the time is over, or one finds a promise that is not kept.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use trickblock::feed::{self, Format, Options};

use super::{Body, Broken, Plant, Real, Subject, check, round, shrink::shrink};
use crate::{random::Random, sys::allocation};

/// How long, and what it starts from.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub time: Duration,
    pub workers: usize,
    pub plant: Option<Plant>,
    /// Changed like those that are drawn.
    pub real: Vec<Real>,
    /// A body that is not read in so long never will be. Nothing else is judged by a clock.
    pub patience: Duration,
}

/// A promise that is not kept, and the body that shows it.
#[derive(Clone, Debug)]
pub struct Found {
    /// Of the round.
    pub seed: u64,
    pub format: Format,
    pub body: Vec<u8>,
    pub broken: Broken,
    /// The body shows it without the document that it was drawn as.
    pub alone: bool,
}

/// What was done, and what was found.
#[derive(Debug, Default)]
pub struct Report {
    pub seed: u64,
    /// Bodies, by format.
    pub bodies: BTreeMap<Format, u64>,
    pub found: Option<Found>,
}

impl Report {
    pub fn total(&self) -> u64 {
        self.bodies.values().sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (format, count) in &self.bodies {
            writeln!(formatter, "{format:16}{count:>10}")?;
        }
        writeln!(
            formatter,
            "{:16}{:>10} bodies, from seed {}",
            "all",
            self.total(),
            self.seed
        )?;
        match &self.found {
            None => writeln!(formatter, "PASSED: every promise was kept"),
            Some(found) => writeln!(formatter, "FAILED: {found}"),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken { promise, detail } = &self.broken;
        let detail: String = detail.chars().take(2_000).collect();
        let (length, format) = (self.body.len(), self.format);
        write!(
            formatter,
            "not kept: {promise}\nseed {}, {format}, {length} bytes: {:?}\n{detail}",
            self.seed,
            String::from_utf8_lossy(self.body.get(..length.min(400)).unwrap_or_default())
        )
    }
}

impl Found {
    /// Writes the body into `directory`, which is made, and says how to have it read again.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, directory: &Path) -> anyhow::Result<String> {
        let file = directory.join(format!("{}-{}.feed", self.format, self.seed));
        let kept = fs::create_dir_all(directory).and_then(|()| fs::write(&file, &self.body));
        kept.with_context(|| format!("cannot keep the body in {}", file.display()))?;
        let round = format!("its round: cargo xtask fuzz --feeds --seed {}", self.seed);
        let (format, file) = (self.format, file.display());
        Ok(match self.alone {
            true => format!(
                "to repeat it: cargo xtask fuzz --feeds --format {format} --input {file}\nor {round}"
            ),
            // What a valid document says is known only where it is drawn.
            false => format!("it is kept in {file}; to repeat it, {round}"),
        })
    }
}

/// What the workers and the watch share. A worker that never ends must not keep the rest alive.
struct Common {
    plan: Plan,
    started: Instant,
    next: AtomicU64,
    done: AtomicBool,
    bodies: Mutex<BTreeMap<Format, u64>>,
    found: Mutex<Option<Found>>,
    /// What each worker reads, and since when.
    reading: Vec<Mutex<Option<(Instant, Found)>>>,
}

/// Runs the plan, calling `progress` with a line now and then.
///
/// # Errors
/// If the program does not count what it allocates, so that no bound could be judged.
pub fn run(plan: &Plan, mut progress: impl FnMut(&str)) -> anyhow::Result<Report> {
    let before = allocation::asked();
    drop(vec![0_u8; 4_096]);
    ensure!(
        allocation::asked() > before,
        "this program has no allocator that counts"
    );
    let common = Arc::new(Common {
        plan: plan.clone(),
        started: Instant::now(),
        next: AtomicU64::new(plan.seed),
        done: AtomicBool::new(false),
        bodies: Mutex::default(),
        found: Mutex::default(),
        reading: (0..plan.workers.max(1)).map(|_| Mutex::default()).collect(),
    });
    let workers = (0..plan.workers.max(1)).map(|worker| {
        let common = Arc::clone(&common);
        thread::spawn(move || common.work(worker))
    });
    common.watch(&workers.collect::<Vec<_>>(), &mut progress);
    let (bodies, found) = (lock(&common.bodies).clone(), lock(&common.found).take());
    let seed = plan.seed;
    Ok(Report {
        seed,
        bodies,
        found,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Common {
    /// Until all workers have ended, or one reads a body that has no end.
    fn watch(&self, workers: &[thread::JoinHandle<()>], progress: &mut impl FnMut(&str)) {
        let mut told = Instant::now();
        while !workers.iter().all(thread::JoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(50));
            if let Some(found) = self.endless() {
                lock(&self.found).get_or_insert(found);
                self.done.store(true, Ordering::Relaxed);
                return;
            }
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                let bodies: u64 = lock(&self.bodies).values().sum();
                progress(&format!(
                    "{} s: {bodies} bodies",
                    self.started.elapsed().as_secs()
                ));
            }
        }
    }

    fn endless(&self) -> Option<Found> {
        let reading = self
            .reading
            .iter()
            .filter_map(|reading| lock(reading).clone());
        let mut late = reading.filter(|(since, _)| since.elapsed() > self.plan.patience);
        late.next().map(|(_, found)| found)
    }

    fn work(&self, worker: usize) {
        let subject = Subject {
            plant: self.plan.plant,
        };
        let is_over =
            || self.done.load(Ordering::Relaxed) || self.started.elapsed() > self.plan.time;
        while !is_over() {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            round(seed, &self.plan.real, |body, random| {
                self.body(worker, seed, subject, body, random);
                !is_over()
            });
        }
        *lock(&self.reading[worker]) = None;
    }

    fn body(
        &self,
        worker: usize,
        seed: u64,
        subject: Subject,
        body: Body<'_>,
        random: &mut Random,
    ) {
        let (format, bytes) = (body.format(), body.bytes());
        let reading = Found {
            seed,
            format,
            body: bytes.to_vec(),
            broken: Broken {
                promise: "reading a body ends",
                detail: format!("not in {:?}", self.plan.patience),
            },
            alone: true,
        };
        *lock(&self.reading[worker]) = Some((Instant::now(), reading.clone()));
        let outcome = body.check(subject, random);
        *lock(&self.reading[worker]) = None;
        *lock(&self.bodies).entry(format).or_default() += 1;
        if let Err(broken) = outcome {
            self.done.store(true, Ordering::Relaxed);
            let again = |body: &[u8]| check(subject, format, body);
            let alone = again(bytes).is_err_and(|found| found.promise == broken.promise);
            let (body, broken) = shrink(bytes, broken, again);
            lock(&self.found).get_or_insert(Found {
                body,
                broken,
                alone,
                ..reading
            });
        }
    }
}

/// Longest real document: the search is for many small ones.
const LONGEST_REAL: u64 = 200_000;
/// Of each format.
const MOST_REAL: usize = 40;

/// Real documents below `directory`, each in the format that it is known to be in.
///
/// # Errors
/// If a directory or a file cannot be read.
pub fn real(directory: &Path) -> anyhow::Result<Vec<Real>> {
    let (mut found, mut left): (Vec<Real>, Vec<PathBuf>) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(path) = left.pop() {
        let failed = || path.display().to_string();
        let about = fs::metadata(&path).with_context(failed)?;
        if about.is_dir() {
            let entries = fs::read_dir(&path).with_context(failed)?;
            let paths = entries.map(|entry| entry.map(|entry| entry.path()));
            let mut paths: Vec<PathBuf> = paths.collect::<Result<_, _>>().with_context(failed)?;
            paths.sort();
            left.extend(paths);
        } else if about.len() <= LONGEST_REAL {
            let body = fs::read(&path).with_context(failed)?;
            let known = feed::parse(&body, Options::default());
            let Ok(feed::Parsed { format, .. }) = known else {
                continue;
            };
            if found.iter().filter(|(known, _)| *known == format).count() < MOST_REAL {
                found.push((format, body));
            }
        }
    }
    Ok(found)
}
