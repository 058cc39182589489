//! Feodo Tracker's hourly list of 2020 through the policy: what comes back within the hold-down was never let go.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use trickblock::{
    config::DEFAULT_HOLD_DOWN,
    feed::{self, Row},
    indicator::Seen,
    policy::{Action, Context, Departed, FeedRows, Guard, Kinds, Label, Terms, merge},
};

type Addresses = BTreeSet<String>;

/// The list at each of its times. A `=` row begins a new recording.
struct Recording {
    steps: Vec<(Seen, Addresses)>,
}

fn recordings(text: &str) -> Vec<Recording> {
    let mut recordings: Vec<Recording> = Vec::new();
    let mut by_time: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let [time, op, address] = line.splitn(4, ',').take(3).collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        by_time.entry(time).or_default().push((op, address));
    }
    let mut now = Addresses::new();
    for (time, changes) in by_time {
        let base = changes.iter().any(|(op, _)| *op == "=");
        if base {
            now.clear();
            recordings.push(Recording { steps: Vec::new() });
        }
        for (op, address) in changes {
            match op {
                "-" => now.remove(address),
                _ => now.insert(address.to_owned()),
            };
        }
        let last = recordings.last_mut().expect("a base first");
        last.steps
            .push((time.parse().expect("a time"), now.clone()));
    }
    recordings
}

/// What happened to one recording under a hold-down.
#[derive(Debug, Default)]
struct Figures {
    steps: usize,
    removals: usize,
    back_within: usize,
    /// Of those, steps in which the indicator was not in force meanwhile.
    open: usize,
    longest: usize,
}

fn replay(recording: &Recording, hold_down: Duration) -> Figures {
    let mut figures = Figures::default();
    let (mut rows, mut departed) = (Vec::<Row>::new(), Departed::default());
    // Since when each is gone, and in how many steps since then it was not in force.
    let mut gone: BTreeMap<String, (Seen, usize)> = BTreeMap::new();
    let mut before = Addresses::new();
    for (at, listed) in &recording.steps {
        let text: String = listed
            .iter()
            .map(|address| format!("{address}\n"))
            .collect();
        let now = feed::parse(text.as_bytes(), None).expect("a list").rows;
        departed = departed.after(rows.iter(), now.iter(), *at, hold_down);
        rows = now;
        let enforced = in_force(&rows, &departed, *at);
        for address in before.difference(listed) {
            figures.removals += 1;
            gone.insert(address.clone(), (*at, 0));
        }
        for address in listed.difference(&before) {
            let Some((since, open)) = gone.remove(address) else {
                continue;
            };
            if at.unix() - since.unix() < DEFAULT_HOLD_DOWN.as_secs().cast_signed() {
                figures.back_within += 1;
                figures.open += open;
            }
        }
        for (address, (_, open)) in &mut gone {
            *open += usize::from(!enforced.contains(address));
        }
        figures.steps += 1;
        figures.longest = figures.longest.max(enforced.len());
        before.clone_from(listed);
    }
    figures
}

/// The addresses that drop at `at`, as the daemon would have it.
fn in_force(rows: &[Row], departed: &Departed, at: Seen) -> Addresses {
    let label = |departed| Label {
        departed,
        ..Label::new("feodo", 0, Terms::of(Action::Drop))
    };
    let feeds = [
        FeedRows {
            label: label(false),
            rows,
        },
        FeedRows {
            label: label(true),
            rows: departed.rows(),
        },
    ];
    let context = Context {
        guard: &Guard::compiled_in(),
        kinds: &Kinds::default(),
        now: Some(at),
    };
    let set = merge(&feeds, context);
    let rules = set.rules.iter();
    rules
        .map(|rule| rule.indicator.prefix.addr().to_string())
        .collect()
}

pub fn nothing_that_returns_was_let_go(corpus: &Path) {
    let text = fs::read_to_string(corpus.join("feodo-hourly-2020.csv")).expect("the recording");
    let recordings = recordings(&text);
    assert_eq!(recordings.len(), 2);
    for recording in &recordings {
        let (held, mirrored) = (
            replay(recording, DEFAULT_HOLD_DOWN),
            replay(recording, Duration::ZERO),
        );
        println!("hold-down of a day {held:?}; mirrored {mirrored:?}");
        assert!(held.back_within > 0, "the recording flaps");
        assert_eq!(held.open, 0, "{held:?}");
        assert!(mirrored.open > 0, "without a hold-down the hole is seen");
    }
}
