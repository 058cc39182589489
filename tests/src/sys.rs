//! The system calls that std does not offer: the only `unsafe` code of this crate.

pub mod allocation;
pub mod guest;

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd},
    os::unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    process::{Child, Command},
    sync::atomic::{AtomicI32, Ordering},
    time::Duration,
};

/// Moves the calling thread into the network namespace behind `namespace`.
///
/// Only the network namespace changes: mounts, such as the host's bpffs, stay visible.
pub fn enter_netns(namespace: impl AsFd) -> io::Result<()> {
    // SAFETY: setns takes a descriptor and a flag, and touches no memory of ours.
    check(unsafe { libc::setns(namespace.as_fd().as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

/// Makes `command` start inside the network namespace behind `namespace`.
pub fn start_in_netns(command: &mut Command, namespace: File) {
    // SAFETY: between fork and exec the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(move || enter_netns(&namespace)) };
}

/// Makes `command` die with the *thread* that starts it, even if that one is killed with -9.
pub fn die_with_parent(command: &mut Command) {
    let die = || {
        // SAFETY: prctl with these arguments reads no memory of ours.
        check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }).map(drop)
    };
    // SAFETY: between fork and exec the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(die) };
}

/// Sends `signal` to `child`, unless it has ended: its pid could be another's by then.
pub fn signal(child: &mut Child, signal: i32) -> io::Result<()> {
    if let Some(status) = child.try_wait()? {
        return Err(io::Error::other(format!("it has ended with {status}")));
    }
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: kill takes two numbers.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Keeps the calling thread on one CPU.
pub fn stay_on_cpu(cpu: usize) -> io::Result<()> {
    // SAFETY: all-zero bytes are an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is live; numbers beyond its end are refused by the assertion inside.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the pointer and the size describe `set`; 0 is the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) }).map(drop)
}

/// The effective user id.
pub fn effective_uid() -> u32 {
    // SAFETY: geteuid has no arguments and cannot fail.
    unsafe { libc::geteuid() }
}

/// The CPU time of the calling thread so far, in user space and kernel: unlike the time of day it
/// stands still while the machine does something else.
pub fn thread_cpu_time() -> io::Result<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` outlives the call.
    check(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) })?;
    let seconds = u64::try_from(time.tv_sec).map_err(io::Error::other)?;
    let nanoseconds = u64::try_from(time.tv_nsec).map_err(io::Error::other)?;
    Ok(Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds))
}

/// Lets the calling thread run before all ordinary ones until this is dropped; what it starts
/// meanwhile is ordinary.
#[derive(Debug)]
pub struct Realtime(());

impl Realtime {
    /// Needs `CAP_SYS_NICE`.
    pub fn start() -> io::Result<Self> {
        schedule(libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, 1).map(|()| Self(()))
    }
}

impl Drop for Realtime {
    fn drop(&mut self) {
        if let Err(error) = schedule(libc::SCHED_OTHER, 0) {
            eprintln!("this thread keeps its real-time priority: {error}");
        }
    }
}

fn schedule(policy: libc::c_int, priority: libc::c_int) -> io::Result<()> {
    let parameter = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: `parameter` outlives the call; 0 means the calling thread.
    check(unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) }).map(drop)
}

/// The index of interface `name` in the calling thread's network namespace.
/// (`/sys/class/net` would show the namespace that mounted it.)
pub fn interface_index(name: &str) -> io::Result<u32> {
    let name = std::ffi::CString::new(name)?;
    // SAFETY: the pointer is to a terminated string that outlives the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Makes interface `name` of the calling thread's network namespace join received packets. On a veth this
/// is what makes it take frames that XDP sends, where no program is attached.
pub fn enable_gro(name: &str) -> io::Result<()> {
    /// `ETHTOOL_SGRO` and `SIOCETHTOOL`.
    const SET_GRO: u32 = 0x2c;
    const ETHTOOL: libc::c_ulong = 0x8946;
    let mut on = [SET_GRO, 1];
    // SAFETY: all-zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(15)) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = on.as_mut_ptr().cast();
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: the pointer is to a live ifreq, whose own pointer is to two words as this request takes them.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), ETHTOOL, &raw const request) }).map(drop)
}

/// Makes a named pipe.
pub fn make_fifo(path: &std::path::Path) -> io::Result<()> {
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes())?;
    // SAFETY: the pointer is to a terminated string that outlives the call.
    check(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }).map(drop)
}

/// Makes closing `socket` reset the connection at once, so that no orphan keeps retransmitting.
pub fn reset_on_close(socket: impl AsFd) -> io::Result<()> {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let length = libc::socklen_t::try_from(size_of_val(&linger)).map_err(io::Error::other)?;
    // SAFETY: the pointer and the length describe `linger`, which outlives the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            length,
        )
    };
    check(done).map(drop)
}

/// A socket that sees every frame of its network namespace, from the IP header on.
/// Reads give up after 50 ms.
pub fn packet_socket() -> io::Result<OwnedFd> {
    let every_protocol = u16::to_be(libc::ETH_P_ALL as u16);
    // SAFETY: socket takes three numbers.
    let fd = check(unsafe {
        libc::socket(
            libc::AF_PACKET,
            libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
            every_protocol.into(),
        )
    })?;
    // SAFETY: `fd` was just opened and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    patience(&socket)?;
    Ok(socket)
}

/// Makes reads give up after 50 ms.
fn patience(socket: &OwnedFd) -> io::Result<()> {
    let patience = libc::timeval {
        tv_sec: 0,
        tv_usec: 50_000,
    };
    let length = libc::socklen_t::try_from(size_of_val(&patience)).map_err(io::Error::other)?;
    // SAFETY: the pointer and the length describe `patience`, which outlives the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            (&raw const patience).cast(),
            length,
        )
    };
    check(done).map(drop)
}

/// A socket that sends whole frames out of the interface with this index, and receives none.
pub fn frame_socket(index: u32) -> io::Result<OwnedFd> {
    // SAFETY: socket takes three numbers.
    let fd =
        check(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: `fd` was just opened and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    bind_packets(&socket, index, 0)?;
    Ok(socket)
}

/// Binds a packet socket to an interface and to a protocol, 0 for none.
fn bind_packets(socket: &OwnedFd, index: u32, protocol: u16) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = i32::try_from(index).map_err(io::Error::other)?;
    let length = libc::socklen_t::try_from(size_of_val(&address)).map_err(io::Error::other)?;
    let address = (&raw const address).cast();
    // SAFETY: the pointer and the length describe `address`, which outlives the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), address, length) }).map(drop)
}

/// Sends one frame through a [`frame_socket`].
pub fn send_frame(socket: &OwnedFd, frame: &[u8]) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `frame`, which outlives the call.
    let sent = unsafe { libc::send(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
    usize::try_from(sent)
        .map(drop)
        .map_err(|_| io::Error::last_os_error())
}

/// Reads one frame that was sent *to* this namespace; `None` for its own outgoing ones.
pub fn receive_incoming(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    // SAFETY: all-zero bytes are a valid sockaddr_ll.
    let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    let mut length = libc::socklen_t::try_from(size_of_val(&from)).map_err(io::Error::other)?;
    // SAFETY: both pointer and length pairs describe memory that outlives the call.
    let count = unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            0,
            (&raw mut from).cast(),
            &raw mut length,
        )
    };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    Ok((from.sll_pkttype == libc::PACKET_HOST).then_some(count))
}

/// A tun interface, made in the calling thread's network namespace and gone when the file is closed:
/// bare IP packets, one for each read and write. Reads do not wait.
pub fn open_tun(name: &str) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    // SAFETY: all-zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(15)) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as i16;
    // SAFETY: the pointer is to a live ifreq, which is what this request takes.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw const request) })?;
    Ok(file)
}

/// Makes a tun interface that is down say that its frames are of this link type (ARPHRD_…).
pub fn set_link_type(tun: &File, kind: u32) -> io::Result<()> {
    let kind = libc::c_ulong::from(kind);
    // SAFETY: this request takes a number.
    check(unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETLINK, kind) }).map(drop)
}

/// Catches SIGINT, SIGTERM and SIGHUP from now on; children start with the defaults again.
pub fn catch_interrupts() -> io::Result<()> {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: all-zero bytes are a valid sigaction: no flags, an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = remember_signal as *const () as usize;
        // SAFETY: `action` outlives the call; its handler only stores to an atomic.
        check(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) })?;
    }
    Ok(())
}

/// The signal that interrupted this process, if one did.
pub fn interrupted() -> Option<i32> {
    let signal = INTERRUPTED_BY.load(Ordering::Relaxed);
    (signal != 0).then_some(signal)
}

/// An error once a signal came. Loops that wait call it, so that everything on the way up is
/// dropped, and thereby cleaned up, as after any other error.
pub fn stop_if_interrupted() -> Result<(), Interrupted> {
    interrupted().map_or(Ok(()), |signal| Err(Interrupted { signal }))
}

/// A signal asked this process to stop.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("interrupted by signal {signal}")]
pub struct Interrupted {
    /// Its number.
    pub signal: i32,
}

static INTERRUPTED_BY: AtomicI32 = AtomicI32::new(0);

extern "C" fn remember_signal(signal: libc::c_int) {
    INTERRUPTED_BY.store(signal, Ordering::Relaxed);
}

pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}
