//! A veth pair between two namespaces: whole frames go in at one end, an ordinary socket listens at
//! the other, and counts are the socket's.

use std::{
    net::{IpAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    netns::{Lab, Netns},
    packet::Packet,
    sys,
};

/// Where frames arrive; the filter sits on it.
#[derive(Debug)]
pub struct Wire {
    pub inside: Netns,
    pub outside: Netns,
    inside_name: String,
    receiver: UdpSocket,
    receiver_6: UdpSocket,
}

/// Addresses of the listening end.
pub const HERE: &str = "192.0.2.10";
pub const HERE_6: &str = "2001:db8:1::10";
/// Never listed by a test: the frame that says that all before it have come.
const LAST: &str = "198.51.100.200";
const PATIENCE: Duration = Duration::from_secs(5);

impl Wire {
    /// A pair whose inner end is called `interface`. Panics where the laboratory cannot be built.
    pub fn new(interface: &str) -> Self {
        let lab = Lab::new().expect("a lab");
        let [inside, outside] = ["inside", "outside"].map(|role| lab.host(role).expect(role));
        lay(&inside, interface, &outside);
        let bind = |address: &str| {
            let socket = inside.run(|| UdpSocket::bind((address, 0)));
            socket.expect("a namespace").expect("a socket")
        };
        let (receiver, receiver_6) = (bind(HERE), bind(HERE_6));
        Self {
            inside,
            outside,
            inside_name: interface.to_owned(),
            receiver,
            receiver_6,
        }
    }

    /// Lays the cable anew after its inner end was deleted. The socket keeps listening.
    pub fn lay_again(&self) {
        lay(&self.inside, &self.inside_name, &self.outside);
    }

    /// How many of `count` datagrams from `source`:443 arrive.
    pub fn passes(&self, source: &str, count: usize) -> usize {
        let (receiver, last) = match source.parse::<IpAddr>().expect("an address") {
            IpAddr::V4(_) => (&self.receiver, LAST),
            IpAddr::V6(_) => (&self.receiver_6, "2001:db8:ffff::1"),
        };
        let socket = self.sender();
        let frame = datagram(source, receiver, b"counted");
        for _ in 0..count {
            sys::send_frame(&socket, &frame).expect("sent");
        }
        let sentinel = datagram(last, receiver, b"last");
        let start = Instant::now();
        let mut arrived = 0;
        // The first frames on a fresh link may be lost, the last one is repeated until it is there.
        while start.elapsed() < PATIENCE {
            sys::send_frame(&socket, &sentinel).expect("sent");
            loop {
                match read(receiver) {
                    Some(b'c') => arrived += 1,
                    Some(_) => {
                        drain(receiver);
                        return arrived;
                    }
                    None => break,
                }
            }
        }
        panic!("nothing arrives any more");
    }

    /// Sends datagrams from `source`:443 until it is stopped.
    pub fn stream(&self, source: &str) -> Stream {
        let frame = datagram(source, &self.receiver, b"counted");
        let socket = self.sender();
        let (stop, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, counter) = (Arc::clone(&stop), Arc::clone(&sent));
        let sender = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                sys::send_frame(&socket, &frame).expect("sent");
                counter.fetch_add(1, Ordering::Relaxed);
                // Two cores: leave one to the filter's owner.
                thread::sleep(Duration::from_micros(50));
            }
        });
        Stream { stop, sent, sender }
    }

    /// How many datagrams arrived since the last look.
    pub fn arrived(&self) -> usize {
        drain(&self.receiver)
    }

    fn sender(&self) -> std::os::fd::OwnedFd {
        let opened = self.outside.run(|| {
            let index = sys::interface_index("peer0")?;
            sys::frame_socket(index)
        });
        opened.expect("a namespace").expect("a packet socket")
    }
}

/// Datagrams on their way; see [`Wire::stream`].
#[derive(Debug)]
pub struct Stream {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    sender: JoinHandle<()>,
}

impl Stream {
    /// Datagrams sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends it; the number of datagrams sent.
    pub fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.sender.join().expect("the sender");
        self.sent.load(Ordering::Relaxed)
    }
}

fn lay(inside: &Netns, interface: &str, outside: &Netns) {
    inside
        .connect(interface, outside, "peer0")
        .expect("a veth pair");
    // Where the packet builder sends its frames to.
    let address = ["link", "set", interface, "address", "02:00:00:00:00:02"];
    inside.ip(&address).expect("a link address");
    inside
        .address(interface, &format!("{HERE}/24"))
        .expect("an address");
    inside
        .address(interface, &format!("{HERE_6}/64"))
        .expect("an address");
    // The senders' addresses are routed nowhere.
    for name in ["all", interface] {
        let filter = format!("net/ipv4/conf/{name}/rp_filter");
        inside.sysctl(&filter, "0").expect("no reverse path filter");
    }
}

fn datagram(source: &str, receiver: &UdpSocket, payload: &[u8]) -> Vec<u8> {
    let here = receiver.local_addr().expect("bound");
    let source = source.parse().expect("an address");
    let packet = Packet::ip(source, here.ip()).udp(443, here.port());
    packet.payload(payload).build()
}

/// The first byte of the next datagram, `None` after 50 ms of silence.
fn read(receiver: &UdpSocket) -> Option<u8> {
    let wait = Some(Duration::from_millis(50));
    receiver.set_read_timeout(wait).expect("a timeout");
    let mut byte = [0];
    receiver.recv(&mut byte).ok().map(|_| byte[0])
}

/// Counts what waits.
fn drain(receiver: &UdpSocket) -> usize {
    receiver.set_nonblocking(true).expect("non-blocking");
    let mut byte = [0];
    let count = std::iter::from_fn(|| receiver.recv(&mut byte).ok()).count();
    receiver.set_nonblocking(false).expect("blocking");
    count
}
