//! Words of a half, wherever they are. Indices count from the start of the half and are inside of it.

pub trait Read {
    fn load(&self, index: usize) -> u64;
}

/// Words that can be changed, even while a program reads them.
pub trait Cells: Read {
    /// Seen by whoever sees a later store.
    fn store(&mut self, index: usize, value: u64);
}

impl Read for [u64] {
    #[inline]
    fn load(&self, index: usize) -> u64 {
        self[index]
    }
}

/// A half that no packet looks at.
impl Cells for [u64] {
    #[inline]
    fn store(&mut self, index: usize, value: u64) {
        self[index] = value;
    }
}

impl<T: Read + ?Sized> Read for &mut T {
    #[inline]
    fn load(&self, index: usize) -> u64 {
        (**self).load(index)
    }
}

impl<T: Cells + ?Sized> Cells for &mut T {
    #[inline]
    fn store(&mut self, index: usize, value: u64) {
        (**self).store(index, value);
    }
}
