//! What the XDP program and user space share: the map ABI, the packet parser and the table lookup.
#![no_std]
