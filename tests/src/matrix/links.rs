//! A veth pair by rtnetlink: a guest has no `ip`.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Makes a pair, both ends up, in the network namespace of the calling thread. Each end is given as
/// its name and the last byte of its link address.
pub fn veth(ends: [(&str, u8); 2]) -> io::Result<()> {
    let [mut first, peer] = ends.map(|(name, number)| end(name, number));
    first.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    let create = NLM_F_CREATE | NLM_F_EXCL;
    ask(RouteNetlinkMessage::NewLink(first), create)?;
    ends.into_iter().try_for_each(|(name, _)| up(name))
}

fn end(name: &str, number: u8) -> LinkMessage {
    let mut link = named(name);
    let address = vec![2, 0, 0, 0, 0, number];
    link.attributes.push(LinkAttribute::Address(address));
    link
}

/// A request of its own: while a pair is made, an end has no other end yet and cannot be up.
fn up(name: &str) -> io::Result<()> {
    let mut link = named(name);
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    ask(RouteNetlinkMessage::SetLink(link), 0)
}

fn named(name: &str) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.to_owned()));
    link
}

fn ask(request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut message = NetlinkMessage::from(request);
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    message.finalize();
    let mut buffer = vec![0; message.buffer_len()];
    message.serialize(&mut buffer);
    socket.send(&buffer, 0)?;
    let (reply, _) = socket.recv_from_full()?;
    let reply =
        NetlinkMessage::<RouteNetlinkMessage>::deserialize(&reply).map_err(io::Error::other)?;
    match reply.payload {
        NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
        NetlinkPayload::Error(_) => Ok(()),
        other => Err(io::Error::other(format!(
            "unexpected netlink answer: {other:?}"
        ))),
    }
}
