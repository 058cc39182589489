//! The maps. Sizes written as 1 here are set by the loader.

use aya_ebpf::{
    Global,
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC},
    macros::map,
    maps::{Array, HashMap, LpmTrie, PerCpuArray, RingBuf},
};
use trickblock_common::{
    abi::{
        Budget, COUNTERS, Counter, EVENT_RING_BYTES, INTERFACES as MAX_INTERFACES, Interface,
        NEVER_WORDS, PROBE_WORDS, Settings,
    },
    embedded::MAX_NAT64,
};

/// The compiled rule set; the loader creates it with the size that the geometry asks for.
#[map]
pub static TABLE: Array<[u64; 8]> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Hits per indicator id. Shared by all CPUs: per-CPU it would be 512 MB at 1 M ids and 64 CPUs.
#[map]
pub static HITS: Array<u64> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Summary of [`NEVER_V4`]: most addresses need no more than this.
#[map]
pub static NEVER_16: Array<[u64; NEVER_WORDS]> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Never-block prefixes; values of `abi::protection`. Written apart from the table on purpose.
#[map]
pub static NEVER_V4: LpmTrie<[u8; 4], u32> = LpmTrie::with_max_entries(1, BPF_F_NO_PREALLOC);
#[map]
pub static NEVER_V6: LpmTrie<[u8; 16], u32> = LpmTrie::with_max_entries(1, BPF_F_NO_PREALLOC);

#[map]
pub static COUNTER: PerCpuArray<Counter> = PerCpuArray::with_max_entries(COUNTERS, 0);

#[map]
pub static SETTINGS: Array<Settings> = Array::with_max_entries(1, 0);

/// By interface index.
#[map]
pub static INTERFACES: HashMap<u32, Interface> = HashMap::with_max_entries(MAX_INTERFACES, 0);

/// What is known of an interface.
#[inline(always)]
pub fn interface(index: u32) -> Interface {
    INTERFACES
        .get_ptr(&index)
        // SAFETY: a live map value of plain integers; user space replaces it as a whole.
        .map_or(Interface::default(), |interface| unsafe { *interface })
}

/// The answer to a probe.
#[map]
pub static PROBE: Array<u64> = Array::with_max_entries(PROBE_WORDS, BPF_F_MMAPABLE);

#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(EVENT_RING_BYTES, 0);
#[map]
pub static BUDGET: PerCpuArray<Budget> = PerCpuArray::with_max_entries(1, 0);

/// `Geometry`, field by field: the verifier takes single words of frozen data as constants.
#[unsafe(no_mangle)]
pub static BITMAP_WORDS: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
pub static BLOOM_WORDS: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
pub static BUCKETS_HOST: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
pub static BUCKETS_V4: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
pub static BUCKETS_V6: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
pub static AT_HOST: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
pub static AT_V4: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
pub static AT_V6: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
pub static HALF_WORDS: Global<u64> = Global::new(1);

/// Kinds of tunnels to look into: bits of `abi::tunnel`.
#[unsafe(no_mangle)]
pub static TUNNELS: Global<u64> = Global::new(0);
/// Up to four NAT64 prefixes: length, high and low half of each; length 0 behind the last one.
#[unsafe(no_mangle)]
pub static NAT64: [Global<u64>; 3 * MAX_NAT64] = [const { Global::new(0) }; 3 * MAX_NAT64];
