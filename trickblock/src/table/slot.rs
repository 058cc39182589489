//! The slots of the exact tables.

use trickblock_common::{
    V4, V6,
    table::{
        Buckets, Geometry, KeyV4, KeyV6, Record, Scope, Sizes as _, hash,
        layout::{SLOT_V4, SLOT_V6, SLOTS, SLOTS_HOST},
        prefilter::key_v4,
    },
};

use super::cells::{Cells, Read};

/// A slot of `WORDS` words: the key, then the record, or both in one.
pub(super) trait Slot: Copy {
    const WORDS: usize;
    /// Of a bucket.
    const SLOTS: usize;
    /// Where the table of such slots is.
    fn table(geometry: &Geometry) -> Buckets;
    /// Where in its table its key is: see [`hash`].
    fn hash(&self, seed: u64) -> u64;
    /// A slot that is taken.
    fn read(cells: &(impl Read + ?Sized), at: usize) -> Option<Self>;
    /// The key comes last: whoever finds it finds the record.
    fn write(&self, cells: &mut (impl Cells + ?Sized), at: usize);
    fn has_key_of(&self, other: &Self) -> bool;
    fn record(&self) -> Record;

    /// Another record for a key that stays: one store.
    fn write_record(&self, cells: &mut (impl Cells + ?Sized), at: usize);
    /// Takes the key away, but not what stands beside it: a packet may have found it.
    fn clear_key(cells: &mut (impl Cells + ?Sized), at: usize);

    /// Of its words the one that is zero where the slot is free.
    const TAKEN: usize;

    #[inline]
    fn is_free(cells: &(impl Read + ?Sized), at: usize) -> bool {
        cells.load(at + Self::TAKEN) == 0
    }
}

/// An IPv4 address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host {
    pub address: V4,
    pub record: Record,
}

impl Host {
    /// The same for the other table.
    pub(super) fn spilled(self) -> SlotV4 {
        SlotV4::new(self.address, Scope::wide(32), self.record)
    }
}

/// Any other entry of IPv4.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotV4 {
    pub key: KeyV4,
    pub record: Record,
}

impl SlotV4 {
    pub(super) const fn new(prefix: V4, scope: Scope, record: Record) -> Self {
        let key = KeyV4::new(prefix, scope);
        Self { key, record }
    }
}

/// An entry of IPv6.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotV6 {
    pub key: KeyV6,
    pub record: Record,
}

impl SlotV6 {
    pub(super) const fn new(prefix: V6, scope: Scope, record: Record) -> Self {
        let key = KeyV6::new(prefix, scope);
        Self { key, record }
    }
}

impl Slot for Host {
    const TAKEN: usize = 0;
    const WORDS: usize = 1;
    const SLOTS: usize = SLOTS_HOST as usize;

    fn table(geometry: &Geometry) -> Buckets {
        geometry.hosts()
    }

    #[inline]
    fn hash(&self, seed: u64) -> u64 {
        hash::hash(key_v4(self.address), seed)
    }

    #[inline]
    fn read(cells: &(impl Read + ?Sized), at: usize) -> Option<Self> {
        let word = cells.load(at);
        (word != 0).then_some(Self {
            address: V4((word >> 32) as u32),
            record: Record::of_host(word),
        })
    }

    #[inline]
    fn write(&self, cells: &mut (impl Cells + ?Sized), at: usize) {
        cells.store(at, self.record.host(self.address.0));
    }

    fn has_key_of(&self, other: &Self) -> bool {
        self.address == other.address
    }

    fn record(&self) -> Record {
        self.record
    }

    fn write_record(&self, cells: &mut (impl Cells + ?Sized), at: usize) {
        self.write(cells, at);
    }

    fn clear_key(cells: &mut (impl Cells + ?Sized), at: usize) {
        cells.store(at, 0);
    }
}

impl Slot for SlotV4 {
    const TAKEN: usize = 0;
    const WORDS: usize = SLOT_V4 as usize;
    const SLOTS: usize = SLOTS as usize;

    fn table(geometry: &Geometry) -> Buckets {
        geometry.v4()
    }

    #[inline]
    fn hash(&self, seed: u64) -> u64 {
        hash::hash_v4(self.key.0, seed)
    }

    fn read(cells: &(impl Read + ?Sized), at: usize) -> Option<Self> {
        let key = cells.load(at);
        (key != 0).then(|| Self {
            key: KeyV4(key),
            record: Record(cells.load(at + 1)),
        })
    }

    fn write(&self, cells: &mut (impl Cells + ?Sized), at: usize) {
        cells.store(at + 1, self.record.0);
        cells.store(at, self.key.0);
    }

    fn has_key_of(&self, other: &Self) -> bool {
        self.key == other.key
    }

    fn record(&self) -> Record {
        self.record
    }

    fn write_record(&self, cells: &mut (impl Cells + ?Sized), at: usize) {
        cells.store(at + 1, self.record.0);
    }

    fn clear_key(cells: &mut (impl Cells + ?Sized), at: usize) {
        cells.store(at, 0);
    }
}

impl Slot for SlotV6 {
    const TAKEN: usize = 2;
    const WORDS: usize = SLOT_V6 as usize;
    const SLOTS: usize = SLOTS as usize;

    fn table(geometry: &Geometry) -> Buckets {
        geometry.v6()
    }

    #[inline]
    fn hash(&self, seed: u64) -> u64 {
        let KeyV6 { high, low, bits } = self.key;
        hash::hash_v6([high, low, bits], seed)
    }

    /// No real key has a length of 0 in its bits.
    fn read(cells: &(impl Read + ?Sized), at: usize) -> Option<Self> {
        let bits = cells.load(at + 2);
        (bits != 0).then(|| Self {
            key: KeyV6 {
                high: cells.load(at),
                low: cells.load(at + 1),
                bits,
            },
            record: Record(cells.load(at + 3)),
        })
    }

    fn write(&self, cells: &mut (impl Cells + ?Sized), at: usize) {
        cells.store(at, self.key.high);
        cells.store(at + 1, self.key.low);
        cells.store(at + 3, self.record.0);
        cells.store(at + 2, self.key.bits);
    }

    fn has_key_of(&self, other: &Self) -> bool {
        self.key == other.key
    }

    fn record(&self) -> Record {
        self.record
    }

    fn write_record(&self, cells: &mut (impl Cells + ?Sized), at: usize) {
        cells.store(at + 3, self.record.0);
    }

    fn clear_key(cells: &mut (impl Cells + ?Sized), at: usize) {
        cells.store(at + 2, 0);
    }
}
