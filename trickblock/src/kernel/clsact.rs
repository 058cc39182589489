//! TC programs on kernels that do not know TCX: filters of the qdisc `clsact`.
//!
//! There is no link to pin, and none is needed: a filter stays until it is removed. It is found again
//! by its fixed handle and priority, and by its name, which says whose it is.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REQUEST};
use netlink_packet_route::{
    RouteNetlinkMessage as Message,
    tc::{TcAttribute, TcBpfFlags, TcFilterBpf, TcFilterBpfOption, TcHandle, TcMessage, TcOption},
};

use super::{Hook, netlink::request};

const QDISC: &str = "clsact";
const HANDLE: TcHandle = TcHandle {
    major: 0x7472,
    minor: 0x6963,
};
/// Before all others.
const PRIORITY: u32 = 1;

/// The filter on a hook of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Says whose it is.
    pub name: String,
    /// Id of its program.
    pub program: Option<u32>,
}

/// Puts `program` on the hook, in the place of the one that is there under the same name. True where
/// there was one.
pub(super) fn put(index: u32, hook: Hook, program: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
    let before = find(index, hook)?;
    if let Some(other) = before.as_ref().filter(|filter| filter.name != name) {
        return Err(io::Error::other(format!(
            "the filter \"{}\" is there; if it is not needed, remove it with `tc filter del`",
            other.name
        )));
    }
    add_qdisc(index)?;
    let mut message = message(index, hook)?;
    let options = vec![
        TcFilterBpfOption::ProgFd(program.as_raw_fd().unsigned_abs()),
        TcFilterBpfOption::ProgName(name.to_owned()),
        TcFilterBpfOption::Flags(TcBpfFlags::DirectAction),
    ];
    message.attributes = vec![
        TcAttribute::Kind(TcFilterBpf::KIND.to_owned()),
        TcAttribute::Options(options.into_iter().map(TcOption::Bpf).collect()),
    ];
    // Without NLM_F_EXCL the kernel replaces the program in place: no packet passes unjudged.
    let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
    request(Message::NewTrafficFilter(message), flags)?;
    Ok(before.is_some())
}

/// The filter with our handle, whoever made it.
pub(super) fn find(index: u32, hook: Hook) -> io::Result<Option<Filter>> {
    let asked = Message::GetTrafficFilter(message(index, hook)?);
    match request(asked, NLM_F_REQUEST) {
        Ok(Some(Message::NewTrafficFilter(found))) => Ok(Some(described(&found))),
        Ok(_) => Ok(None),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the filter. The qdisc stays: others may have filters there.
pub(super) fn remove(index: u32, hook: Hook) -> io::Result<()> {
    let gone = Message::DelTrafficFilter(message(index, hook)?);
    match request(gone, NLM_F_REQUEST | NLM_F_ACK) {
        Err(error) if !is_absent(&error) => Err(error),
        _ => Ok(()),
    }
}

fn add_qdisc(index: u32) -> io::Result<()> {
    let mut message = qdisc(index)?;
    message.attributes = vec![TcAttribute::Kind(QDISC.to_owned())];
    let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
    match request(Message::NewQueueDiscipline(message), flags) {
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => check_qdisc(index),
        done => done.map(drop),
    }
}

/// Somebody's clsact is as good as one of ours. The older `ingress` takes its place, and would take a
/// filter of what leaves for one of what arrives.
fn check_qdisc(index: u32) -> io::Result<()> {
    let asked = Message::GetQueueDiscipline(qdisc(index)?);
    // The kernel sends the qdisc only to those who want an echo.
    let flags = NLM_F_REQUEST | NLM_F_ECHO | NLM_F_ACK;
    let Some(Message::NewQueueDiscipline(found)) = request(asked, flags)? else {
        return Ok(());
    };
    let kind = found
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            TcAttribute::Kind(kind) => Some(kind.as_str()),
            _ => None,
        });
    match kind {
        Some(other) if other != QDISC => Err(io::Error::other(format!(
            "the qdisc {other} is in the place of {QDISC}; if it is not needed, remove it with `tc qdisc del`"
        ))),
        _ => Ok(()),
    }
}

/// What names the place of the qdisc.
fn qdisc(index: u32) -> io::Result<TcMessage> {
    let mut message = TcMessage::with_index(signed(index)?);
    message.header.handle = TcHandle {
        major: u16::MAX,
        minor: 0,
    };
    message.header.parent = TcHandle::CLSACT;
    Ok(message)
}

fn message(index: u32, hook: Hook) -> io::Result<TcMessage> {
    let minor = match hook.is_egress() {
        true => TcHandle::MIN_EGRESS,
        false => TcHandle::MIN_INGRESS,
    };
    let every_protocol = u32::from(u16::to_be(libc::ETH_P_ALL as u16));
    let mut message = TcMessage::with_index(signed(index)?);
    message.header.handle = HANDLE;
    message.header.parent = TcHandle {
        major: u16::MAX,
        minor,
    };
    message.header.info = PRIORITY << 16 | every_protocol;
    Ok(message)
}

fn signed(index: u32) -> io::Result<i32> {
    i32::try_from(index).map_err(io::Error::other)
}

fn described(filter: &TcMessage) -> Filter {
    let options = filter
        .attributes
        .iter()
        .filter_map(|attribute| match attribute {
            TcAttribute::Options(options) => Some(options),
            _ => None,
        });
    let mut described = Filter::default();
    for option in options.flatten() {
        match option {
            TcOption::Bpf(TcFilterBpfOption::ProgName(name)) => described.name.clone_from(name),
            TcOption::Bpf(TcFilterBpfOption::ProgId(id)) => described.program = Some(*id),
            _ => {}
        }
    }
    described
}

/// No such filter, no such priority or qdisc, or no such interface.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::EINVAL | libc::ENODEV)
    )
}
