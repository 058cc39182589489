//! What the kernel says of a network interface, by one rtnetlink request.

use std::io;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoKind, LinkAttribute, LinkInfo, LinkLayerType, LinkMessage, LinkXdp, XdpAttached},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// How an XDP program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In the driver.
    Native,
    /// In the network stack, after the driver has built a socket buffer: several times slower.
    Generic,
    /// In the network card.
    Offload,
}

impl Mode {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Offload => "offload",
        }
    }
}

/// What a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    Ethernet,
    /// The IP header.
    Ip,
}

/// An interface as it is now.
#[derive(Clone, Debug)]
pub struct Interface {
    pub name: String,
    pub index: u32,
    /// `None`: nothing that is known here.
    pub frame: Option<Frame>,
    /// For messages: `Ether`, `Ppp`, `Loopback`, …
    pub layer: String,
    pub mtu: u32,
    /// Id and mode of the attached XDP program.
    pub xdp: Option<(u32, Mode)>,
}

/// The interface called `name` in this network namespace, `None` where there is none.
pub fn interface(name: &str) -> io::Result<Option<Interface>> {
    let mut request = LinkMessage::default();
    request
        .attributes
        .push(LinkAttribute::IfName(name.to_owned()));
    match ask(request) {
        Ok(link) => Ok(Some(describe(link))),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        // The kernel's answer to a name that no interface can have.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ERANGE | libc::EINVAL)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The interface with this index, `None` where there is none.
pub fn interface_by_index(index: u32) -> io::Result<Option<Interface>> {
    let mut request = LinkMessage::default();
    request.header.index = index;
    match ask(request) {
        Ok(link) => Ok(Some(describe(link))),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

fn ask(asked: LinkMessage) -> io::Result<LinkMessage> {
    match request(RouteNetlinkMessage::GetLink(asked), NLM_F_REQUEST)? {
        Some(RouteNetlinkMessage::NewLink(link)) => Ok(link),
        other => Err(io::Error::other(format!(
            "unexpected netlink answer: {other:?}"
        ))),
    }
}

/// Sends one request and reads its one answer; `None` for a bare acknowledgement.
pub(super) fn request(
    asked: RouteNetlinkMessage,
    flags: u16,
) -> io::Result<Option<RouteNetlinkMessage>> {
    let (reply, _) = send(asked, flags)?.recv_from_full()?;
    let reply = read(&reply)?;
    match reply.payload {
        NetlinkPayload::InnerMessage(inner) => Ok(Some(inner)),
        NetlinkPayload::Error(error) if error.code.is_none() => Ok(None),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        other => Err(io::Error::other(format!(
            "unexpected netlink answer: {other:?}"
        ))),
    }
}

/// Answers to one dump that are kept; the rest is read and forgotten.
const MAX_DUMPED: usize = 65_536;

/// Everything of a kind.
pub(super) fn dump(asked: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
    let socket = send(asked, NLM_F_REQUEST | NLM_F_DUMP)?;
    let mut all = Vec::new();
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        let mut rest = datagram.as_slice();
        while !rest.is_empty() {
            let message = read(rest)?;
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(all),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::InnerMessage(inner) if all.len() < MAX_DUMPED => all.push(inner),
                _ => {}
            }
            // Each begins at a multiple of four; one of no length would never end.
            let length = usize::try_from(message.header.length).map_err(io::Error::other)?;
            rest = rest.get(length.max(4).next_multiple_of(4)..).unwrap_or(&[]);
        }
    }
}

fn send(asked: RouteNetlinkMessage, flags: u16) -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut message = NetlinkMessage::from(asked);
    message.header.flags = flags;
    message.finalize();
    let mut buffer = vec![0; message.buffer_len()];
    message.serialize(&mut buffer);
    socket.send(&buffer, 0)?;
    Ok(socket)
}

fn read(bytes: &[u8]) -> io::Result<NetlinkMessage<RouteNetlinkMessage>> {
    NetlinkMessage::deserialize(bytes).map_err(io::Error::other)
}

fn describe(link: LinkMessage) -> Interface {
    let layer = link.header.link_layer_type;
    let mut interface = Interface {
        name: String::new(),
        index: link.header.index,
        frame: frame(layer),
        layer: format!("{layer:?}"),
        mtu: 0,
        xdp: None,
    };
    for attribute in link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name = name,
            LinkAttribute::Mtu(mtu) => interface.mtu = mtu,
            LinkAttribute::Xdp(xdp) => interface.xdp = attached(&xdp),
            LinkAttribute::LinkInfo(info) => {
                if let Some(kind) = keeps_outer_header(&info) {
                    interface.frame = None;
                    interface.layer = kind;
                }
            }
            _ => {}
        }
    }
    interface
}

fn frame(layer: LinkLayerType) -> Option<Frame> {
    use LinkLayerType::{Ether, Loopback, None as Nothing, Ppp, Rawip, Tunnel, Tunnel6};
    match layer {
        // The loopback interface carries Ethernet headers too.
        Ether | Loopback => Some(Frame::Ethernet),
        Nothing | Ppp | Rawip | Tunnel | Tunnel6 => Some(Frame::Ip),
        _ => None,
    }
}

/// IPsec interfaces look like tunnels, but hand out what arrives with the link header of the outer
/// packet.
fn keeps_outer_header(info: &[LinkInfo]) -> Option<String> {
    info.iter().find_map(|info| match info {
        LinkInfo::Kind(kind @ (InfoKind::Xfrm | InfoKind::Vti | InfoKind::Vti6)) => {
            Some(format!("{kind:?}"))
        }
        _ => None,
    })
}

fn attached(xdp: &[LinkXdp]) -> Option<(u32, Mode)> {
    let mode = xdp.iter().find_map(|attribute| match attribute {
        LinkXdp::Attached(XdpAttached::Driver | XdpAttached::Multiple) => Some(Mode::Native),
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(Mode::Generic),
        LinkXdp::Attached(XdpAttached::Hardware) => Some(Mode::Offload),
        _ => None,
    })?;
    let program = xdp.iter().find_map(|attribute| match attribute {
        LinkXdp::ProgId(id)
        | LinkXdp::DrvProgId(id)
        | LinkXdp::SkbProgId(id)
        | LinkXdp::HwProgId(id) => Some(*id),
        _ => None,
    })?;
    Some((program, mode))
}
