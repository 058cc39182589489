//! Packets on one CPU, changes on the other: in place, as a whole, and by a larger table.

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use trickblock::{
    indicator::Indicator,
    kernel::{Capacity, Filter, Maps, random_seed},
    table::{Entry, Ids, Plan, changes},
};
use trickblock_tests::{
    bpf,
    kernel::{Counts, PinDir, counted_since, counts, entries},
    packet::Packet,
};

/// Packets of a run; the lookup is asked for both ends of each.
const PACKETS: u64 = 50_000_000;
const PACKETS_GROWING: u64 = 10_000_000;
/// Packets in a row.
const BATCH: u32 = 50_000;
const ROOM: Capacity = Capacity::any(8_000, 8_000);

/// Listed all the time, and never changed.
const STABLE: [&str; 4] = [
    "drop 203.0.113.7",
    "drop 203.0.113.8:443",
    "drop 2001:db8:c2::7",
    "drop 198.51.100.0/25:53/udp",
];
/// Listed now and then.
const TOGGLED: &str = "drop 203.0.113.20";
/// Listed all the time, as one or the other.
const FLIPPED: [&str; 2] = ["drop 203.0.113.21", "monitor 203.0.113.21"];

/// What is sent: one per stable rule, in their order, then what is flipped, what is toggled, and neighbours that are
/// never listed.
fn frames() -> [Vec<u8>; 8] {
    let v4 = |to: &str| Packet::v4("192.0.2.1", to);
    let v6 = |to: &str| Packet::v6("2001:db8::1", to);
    [
        v4("203.0.113.7").tcp(1, 80),
        v4("203.0.113.8").tcp(1, 443),
        v6("2001:db8:c2::7").udp(1, 2),
        v4("198.51.100.9").udp(1, 53),
        v4("203.0.113.21").tcp(1, 80),
        v4("203.0.113.20").tcp(1, 80),
        v4("203.0.113.9").tcp(1, 80),
        v6("2001:db8:c2::9").udp(1, 2),
    ]
    .map(|packet| packet.build())
}

const FLIP: usize = 4;
const TOGGLE: usize = 5;

/// A generator is enough that gives other numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// The rule set as it changes.
struct Writer {
    random: Random,
    /// Which of the fillers are listed.
    listed: Vec<bool>,
    live: Vec<Entry>,
    ids: Ids,
    done: Done,
}

/// How often what was done.
#[derive(Debug, Default)]
struct Done {
    in_place: usize,
    as_a_whole: usize,
    grown: usize,
    indicators: usize,
}

const FILLERS: u64 = 2_000;

/// Hosts in the /24s of the stable ones and elsewhere, ports of one address, prefixes, and IPv6.
fn filler(index: u64) -> String {
    match index % 5 {
        0 => format!("drop 203.0.113.{}", 32 + index % 200),
        1 => format!("monitor 198.18.{}.{}", index / 256, index % 256),
        2 => format!("drop 203.0.113.8:{}", 1_000 + index),
        3 => format!("drop 198.19.{}.{}/31", index / 128, index % 128 * 2),
        _ => format!("drop [2001:db8:ffff::{index:x}]:443"),
    }
}

impl Writer {
    fn new(maps: &Maps, seed: u64) -> Self {
        let mut writer = Self {
            random: Random(seed),
            listed: vec![false; FILLERS as usize],
            live: Vec::new(),
            ids: Ids::new(maps.hit_capacity().unwrap(), &[]),
            done: Done::default(),
        };
        let plan = writer.next(0);
        maps.swap(&plan.entries, &plan.fresh, seed).unwrap();
        writer.take(plan);
        writer
    }

    /// Another set, in which up to so many fillers have come or gone.
    fn next(&mut self, changed: u64) -> Plan {
        for _ in 0..changed {
            let at = self.random.below(FILLERS) as usize;
            self.listed[at] = !self.listed[at];
        }
        let fillers = (0..FILLERS).filter(|index| self.listed[*index as usize]);
        let mut rules: Vec<String> = fillers.map(filler).collect();
        rules.extend(STABLE.map(str::to_owned));
        rules.push(FLIPPED[self.random.below(2) as usize].to_owned());
        if self.random.below(2) == 0 {
            rules.push(TOGGLED.to_owned());
        }
        let mut wanted: Vec<(Indicator, bool)> = entries(&rules)
            .unwrap()
            .iter()
            .map(|entry| (entry.indicator, entry.drop))
            .collect();
        wanted.dedup_by_key(|(indicator, _)| *indicator);
        self.ids.plan(&self.live, wanted).unwrap()
    }

    fn take(&mut self, plan: Plan) {
        self.ids.commit(&plan);
        self.live = plan.entries;
    }

    fn change(&mut self, maps: &Maps) {
        let count = 1 + self.random.below(100);
        let plan = self.next(count);
        if self.random.below(20) == 0 {
            maps.swap(&plan.entries, &plan.fresh, random_seed())
                .unwrap();
            self.done.as_a_whole += 1;
        } else {
            let changes: Vec<_> = changes(&self.live, &plan.entries).collect();
            self.done.indicators += changes.len();
            maps.apply(&changes, &plan.fresh).unwrap();
            self.done.in_place += 1;
        }
        self.take(plan);
    }
}

/// Runs the programs on all frames in turn; how many packets of each.
fn send(program: &Mutex<Arc<OwnedFd>>, packets: u64) -> [u64; 8] {
    let (frames, mut sent) = (frames(), [0; 8]);
    while sent.iter().sum::<u64>() < packets {
        let program = Arc::clone(&program.lock().unwrap());
        for (frame, sent) in frames.iter().zip(&mut sent) {
            bpf::test_run(&*program, frame, BATCH).unwrap();
            *sent += u64::from(BATCH);
        }
    }
    sent
}

/// What was counted must be what was sent, whatever was in force meanwhile.
fn assert_counted(before: &Counts, after: &Counts, sent: &[u64; 8]) {
    let mut counted = counted_since(before, after);
    let mut take = |reason| {
        let key = (reason, Some("destination"));
        counted.remove(&key).unwrap_or_default().0
    };
    assert_eq!(take("address_port"), sent[1], "an address with a port");
    assert_eq!(take("prefix_port"), sent[3], "a prefix with a port");
    let hosts = take("address") + take("monitor_address");
    let certain = sent[0] + sent[2] + sent[FLIP];
    assert!(
        (certain..=certain + sent[TOGGLE]).contains(&hosts),
        "{hosts} of {certain} to {}",
        certain + sent[TOGGLE]
    );
    assert!(hosts > certain && hosts < certain + sent[TOGGLE]);
    // While the port of an address comes or goes, packets to another one of its ports are told apart from plain misses.
    assert!(counted.is_empty(), "{counted:?}");
}

pub fn changes_in_place_and_swaps() {
    let dir = PinDir::new();
    let maps = Filter::load(&dir.pins(), ROOM).unwrap().maps;
    let program = bpf::open_pin(&dir.version().join("program")).unwrap();
    let program = Mutex::new(Arc::new(program));
    let mut writer = Writer::new(&maps, 1);
    let stable = |live: &[Entry]| {
        let ids = STABLE.map(|rule| {
            let wanted = entries(&[rule]).unwrap()[0].indicator;
            live.iter()
                .find(|entry| entry.indicator == wanted)
                .unwrap()
                .id
        });
        maps.hits(ids).unwrap()
    };
    let before = counts(&maps);
    let done = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let sent = send(&program, PACKETS);
            done.store(true, Ordering::Relaxed);
            sent
        });
        while !done.load(Ordering::Relaxed) {
            writer.change(&maps);
        }
        sender.join().unwrap()
    });
    println!(
        "{} packets under {:?}",
        sent.iter().sum::<u64>(),
        writer.done
    );
    assert_counted(&before, &counts(&maps), &sent);
    assert_eq!(stable(&writer.live), sent[..4], "each by its own indicator");
    assert_eq!(maps.entries().unwrap(), writer.live);
    assert!(writer.done.in_place > 50 && writer.done.as_a_whole > 2);
}

pub fn growth() {
    let dir = PinDir::new();
    let mut filter = Filter::load(&dir.pins(), ROOM).unwrap();
    let current = || Arc::new(bpf::open_pin(&dir.version().join("program")).unwrap());
    let program = Mutex::new(current());
    let mut writer = Writer::new(&filter.maps, 2);
    let before = counts(&filter.maps);
    let done = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let sent = send(&program, PACKETS_GROWING);
            done.store(true, Ordering::Relaxed);
            sent
        });
        while !done.load(Ordering::Relaxed) {
            (0..20).for_each(|_| writer.change(&filter.maps));
            let room = filter.maps.geometry().capacity();
            filter = Filter::load(&dir.pins(), room.map(room, |room, _| room * 5 / 4)).unwrap();
            assert_eq!(filter.maps.entries().unwrap(), writer.live);
            *program.lock().unwrap() = current();
            writer.done.grown += 1;
        }
        sender.join().unwrap()
    });
    println!(
        "{} packets under {:?}",
        sent.iter().sum::<u64>(),
        writer.done
    );
    assert_counted(&before, &counts(&filter.maps), &sent);
    assert!(writer.done.grown > 0);
}
