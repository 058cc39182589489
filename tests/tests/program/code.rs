//! The instructions after the verifier: what a packet that passes pays for.
//!
//! A plain miss is a way from an EtherType to the end on which both addresses and a word of the
//! prefilter for each are loaded, and no map is looked up: every other way out counts. It must exist
//! for both families, behind every comparison with their EtherType (the ways from different numbers of tags
//! meet there or before), without a call of a function or a helper.

use std::collections::{BTreeMap, VecDeque};

use trickblock::kernel::Filter;
use trickblock_tests::{
    bpf,
    kernel::{PinDir, SMALL},
};

/// EtherTypes in network order, as loaded on a little-endian machine, and the fewest wide loads that
/// are not from the stack: three for the packet's bounds and the blurred offset, then the addresses
/// (IPv4: one each, IPv6: two each), then a word of the bitmap each, or the seed and a word of the Bloom
/// filter each.
const FAMILIES: [(&str, i32, usize); 2] =
    [("IPv4", 0x0008, 3 + 2 + 2), ("IPv6", 0xdd86, 3 + 4 + 3)];

pub fn the_pass_path_calls_nothing() {
    let code = Code::load();
    for (family, ether_type, loads) in FAMILIES {
        let starts = code.branches_on(ether_type);
        assert!(!starts.is_empty(), "{family}: its EtherType is compared");
        for start in starts {
            let found = code.miss(start, loads).is_some();
            assert!(
                found,
                "{family}: no miss without a call behind instruction {start}"
            );
        }
    }
    let calls = code.0.iter().filter(|one| one.operation == CALL).count();
    assert!(calls > 3, "behind the prefilter there are calls");
}

/// Single bytes are loaded where the compiler must not load more, or copies padding.
pub fn addresses_are_loaded_whole() {
    const NARROW: [u8; 2] = [0x71, HALF];
    let code = Code::load();
    for (family, path) in code.misses() {
        let narrow = path
            .iter()
            .filter(|one| NARROW.contains(&one.operation))
            .count();
        assert_eq!(narrow, 0, "{family} loads bytes or halves");
    }
}

/// Instructions from the EtherType to the end where nothing near either address is listed.
pub fn a_miss_is_short() {
    let code = Code::load();
    let lengths = code.misses().map(|(_, path)| path.len());
    println!(
        "{lengths:?} instructions for IPv4 and IPv6, {} in all",
        code.0.len()
    );
    assert!(lengths[0] < 90 && lengths[1] < 180, "{lengths:?}");
}

/// One of them; a constant of 64 bits takes two places, the second of which is all zero but its value.
#[derive(Clone, Copy)]
struct Instruction {
    operation: u8,
    destination: u8,
    source: u8,
    offset: i16,
    value: i32,
}

/// All instructions: the main program first, then its functions.
struct Code(Vec<Instruction>);

const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
const LONG_CONSTANT: u8 = 0x18;
/// The source of a long constant that stands for a map.
const MAP: u8 = 1;
/// A load of 2 bytes.
const HALF: u8 = 0x69;
/// Loads of 4 and 8 bytes.
const WIDE: [u8; 2] = [0x61, 0x79];
const STACK: u8 = 10;

impl Code {
    fn load() -> Self {
        let dir = PinDir::new();
        let _filter = Filter::load(&dir.pins(), SMALL).unwrap();
        let program = bpf::open_pin(&dir.version().join("program")).unwrap();
        let code = bpf::translated(&program).unwrap();
        assert!(code.len() > 500, "the kernel hides the instructions");
        Self(code.into_iter().map(decode).collect())
    }

    /// The longest of the shortest misses of each family, over all numbers of tags.
    fn misses(&self) -> [(&'static str, Vec<Instruction>); 2] {
        FAMILIES.map(|(family, ether_type, loads)| {
            let starts = self.branches_on(ether_type).into_iter();
            let paths = starts.filter_map(|start| self.miss(start, loads));
            let longest = paths.max_by_key(Vec::len).expect("a miss");
            (family, longest.into_iter().map(|at| self.0[at]).collect())
        })
    }

    /// Where the program goes on when an EtherType equals `value`, in front of any function.
    fn branches_on(&self, value: i32) -> Vec<usize> {
        let branch = |at: usize| match self.0[at] {
            one if one.value != value || !self.is_ether_type(at) => None,
            Instruction {
                operation: 0x15 | 0x16,
                offset,
                ..
            } => at.checked_add_signed(1 + isize::from(offset)),
            Instruction {
                operation: 0x55 | 0x56,
                ..
            } => Some(at + 1),
            _ => None,
        };
        (0..self.functions_start()).filter_map(branch).collect()
    }

    /// Whether the register compared at `at` was loaded as two bytes shortly before.
    fn is_ether_type(&self, at: usize) -> bool {
        let compared = self.0[at].destination;
        let before = &self.0[at.saturating_sub(12)..at];
        let loaded = |one: &Instruction| one.operation == HALF && one.destination == compared;
        // The last comparisons of a chain may stand apart; no other constant looks like theirs.
        self.0[at].value > 0xff || before.iter().any(loaded)
    }

    /// The first instruction that a call within the program leads to.
    fn functions_start(&self) -> usize {
        let calls = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, one)| one.operation == CALL && one.source == 1);
        let targets = calls
            .filter_map(|(at, one)| at.checked_add_signed(isize::try_from(one.value).ok()? + 1));
        targets.min().expect("the program has functions")
    }

    /// The shortest plain way from `start` to an exit with so many wide loads on it.
    fn miss(&self, start: usize, loads: usize) -> Option<Vec<usize>> {
        let first = (start, 0);
        let mut came_from = BTreeMap::from([(first, first)]);
        let mut open = VecDeque::from([first]);
        while let Some(place) = open.pop_front() {
            let (at, loaded) = place;
            if self.0[at].operation == EXIT && loaded == loads {
                return Some(trace(&came_from, place));
            }
            if !self.is_plain(at) {
                continue;
            }
            let loaded = loads.min(loaded + usize::from(self.is_wide_load(at)));
            for next in self.next(at) {
                came_from.entry((next, loaded)).or_insert_with(|| {
                    open.push_back((next, loaded));
                    place
                });
            }
        }
        None
    }

    /// Neither a call nor a use of a map: what is counted begins with looking up the settings. (The
    /// table was looked up before the EtherType is known.)
    fn is_plain(&self, at: usize) -> bool {
        let Instruction {
            operation, source, ..
        } = self.0[at];
        operation != CALL && !(operation == LONG_CONSTANT && source == MAP)
    }

    fn is_wide_load(&self, at: usize) -> bool {
        WIDE.contains(&self.0[at].operation) && self.0[at].source != STACK
    }

    fn next(&self, at: usize) -> Vec<usize> {
        let Instruction {
            operation,
            offset,
            value,
            ..
        } = self.0[at];
        let jump = || at.checked_add_signed(1 + isize::from(offset));
        match operation {
            EXIT => Vec::new(),
            LONG_CONSTANT => vec![at + 2],
            0x05 => Vec::from_iter(jump()),
            0x06 => Vec::from_iter(at.checked_add_signed(1 + isize::try_from(value).unwrap())),
            _ if matches!(operation & 7, 5 | 6) && operation != CALL => {
                [jump(), Some(at + 1)].into_iter().flatten().collect()
            }
            _ => vec![at + 1],
        }
    }
}

/// The instructions from the start to `end`.
fn trace(came_from: &BTreeMap<(usize, usize), (usize, usize)>, end: (usize, usize)) -> Vec<usize> {
    let mut path = vec![end.0];
    let mut place = end;
    while came_from[&place] != place {
        place = came_from[&place];
        path.push(place.0);
    }
    path.reverse();
    path
}

fn decode(instruction: u64) -> Instruction {
    let [operation, registers, o0, o1, v0, v1, v2, v3] = instruction.to_ne_bytes();
    Instruction {
        operation,
        destination: registers & 15,
        source: registers >> 4,
        offset: i16::from_ne_bytes([o0, o1]),
        value: i32::from_ne_bytes([v0, v1, v2, v3]),
    }
}
