//! Lets the verifier of user-mode Linux accept what every other x86-64 kernel accepts.
//!
//! That kernel is configured as if the processor had no unaligned loads, and refuses those of packet
//! bytes unless a program is loaded with `BPF_F_ANY_ALIGNMENT`. The pinned aya cannot ask for it, and
//! no machine that carries traffic needs it. So this program alone puts itself between aya and the C
//! library, and adds that flag where the kernel's command line says so.

use std::{
    env,
    ffi::{c_long, c_void},
    sync::atomic::{AtomicBool, AtomicPtr, Ordering},
};

/// Unknown parameters of the kernel become variables of its first process.
const VARIABLE: &str = "ANY_ALIGNMENT";
const PROG_LOAD: c_long = 5;
const BPF_F_ANY_ALIGNMENT: u32 = 1 << 1;
/// Index of `prog_flags` in `union bpf_attr`, in words of 32 bits.
const PROG_FLAGS: usize = 11;

static WANTED: AtomicBool = AtomicBool::new(false);

/// Reads the command line's wish.
pub fn choose() {
    WANTED.store(env::var_os(VARIABLE).is_some(), Ordering::Relaxed);
}

type Syscall =
    unsafe extern "C" fn(c_long, c_long, c_long, c_long, c_long, c_long, c_long) -> c_long;

/// In place of the C library's, for this program only.
///
/// # Safety
/// As for syscall(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    let wanted = WANTED.load(Ordering::Relaxed);
    if wanted && number == libc::SYS_bpf && a == PROG_LOAD {
        let attributes: *mut u32 =
            std::ptr::with_exposed_provenance_mut(b.cast_unsigned() as usize);
        // SAFETY: the caller's attributes of a program load, which it made for this call alone; they
        // are longer than this field's place.
        unsafe { *attributes.add(PROG_FLAGS) |= BPF_F_ANY_ALIGNMENT };
    }
    // SAFETY: the arguments are handed on; those that the caller did not give are not looked at.
    unsafe { original()(number, a, b, c, d, e, f) }
}

/// The C library's own. Looked up without a lock: locks make system calls.
fn original() -> Syscall {
    static FOUND: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    let mut found = FOUND.load(Ordering::Relaxed);
    if found.is_null() {
        // SAFETY: the name is terminated. Every C library that this links to has it.
        found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"syscall".as_ptr()) };
        assert!(!found.is_null(), "the C library has no syscall");
        FOUND.store(found, Ordering::Relaxed);
    }
    // SAFETY: the C library's variadic function takes whole numbers in the same places.
    unsafe { std::mem::transmute::<*mut c_void, Syscall>(found) }
}
