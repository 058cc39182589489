//! Events: every field, and the exact number of those that nobody will see.

use std::{collections::BTreeMap, os::fd::OwnedFd, thread};

use trickblock::kernel::Filter;
use trickblock_common::abi::{Event, NO_INDICATOR, Settings};
use trickblock_tests::{
    bpf,
    kernel::{PinDir, SMALL, entries},
    packet::{Packet, Transport},
    sys,
};

use crate::XDP_DROP;

/// A pinned filter whose program is run directly.
struct Loaded {
    filter: Filter,
    program: OwnedFd,
    _dir: PinDir,
}

fn loaded(events_per_second: u32, event_reasons: u64) -> Loaded {
    let dir = PinDir::new();
    let mut filter = Filter::load(&dir.pins(), SMALL).unwrap();
    let rules = [
        "drop 203.0.113.7",
        "drop [2001:db8:c2::7]:443",
        "monitor 203.0.113.8",
    ];
    filter
        .maps
        .swap(&entries(&rules).unwrap(), &[0, 1, 2], 1)
        .unwrap();
    let settings = Settings {
        monitor: 0,
        events_per_second,
        event_reasons,
    };
    filter.maps.set_settings(&settings).unwrap();
    let program = bpf::open_pin(&dir.version().join("program")).unwrap();
    Loaded {
        filter,
        program,
        _dir: dir,
    }
}

impl Loaded {
    fn run(&self, packet: &Packet) -> u32 {
        bpf::test_run(&self.program, &packet.build(), 1).unwrap()
    }

    fn drain(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.filter.events.pop()).collect()
    }
}

fn listed() -> Packet {
    Packet::v4("192.0.2.10", "203.0.113.7").tcp(40_000, 443)
}

/// Number of a reason, by its name.
fn number(reason: &str) -> u8 {
    let all = trickblock_common::Reason::ALL.iter();
    let at = all
        .map(|reason| reason.name())
        .position(|name| name == reason);
    u8::try_from(at.unwrap()).unwrap()
}

fn v4(octets: [u8; 4]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&octets);
    bytes
}

pub fn an_event_tells_the_packet() {
    let mut loaded = loaded(u32::MAX, u64::MAX);
    let packets = [
        listed().payload(b"hello"),
        Packet::v6("2001:db8:c2::7", "2001:db8:1::10")
            .vlan(5)
            .udp(443, 40_000),
        Packet::v4("203.0.113.8", "192.0.2.10").transport(Transport::Icmp { kind: 0, code: 0 }),
        Packet::v6("2001:db8:1::10", "2001:db8:c2::7").transport(Transport::Esp { index: 1 }),
        listed().cut_to(30),
        Packet::ethernet(0x0806).payload(&[0; 28]),
        Packet::v4("192.0.2.1", "192.0.2.2").udp(443, 443),
    ];
    for packet in &packets {
        loaded.run(packet);
    }
    let events = loaded.drain();

    let client = v4([192, 0, 2, 10]);
    let client_6 = "2001:db8:1::10"
        .parse::<std::net::Ipv6Addr>()
        .unwrap()
        .octets();
    let server_6 = "2001:db8:c2::7"
        .parse::<std::net::Ipv6Addr>()
        .unwrap()
        .octets();
    let blank = Event {
        time: 0,
        indicator: NO_INDICATOR,
        // The loopback interface stands for the one that a test run does not have.
        interface: 1,
        length: 0,
        source_port: 0,
        destination_port: 0,
        protocol: 0,
        reason: 0,
        side: 0,
        version: 0,
        direction: 0,
        flags: 0,
        reserved: 0,
        source: [0; 16],
        destination: [0; 16],
    };
    let expected = [
        Event {
            indicator: 0,
            source_port: 40_000,
            destination_port: 443,
            protocol: 6,
            reason: number("address"),
            side: 1,
            version: 4,
            source: client,
            destination: v4([203, 0, 113, 7]),
            ..blank
        },
        Event {
            indicator: 2,
            source_port: 443,
            destination_port: 40_000,
            protocol: 17,
            reason: number("address_port"),
            side: 2,
            version: 6,
            source: server_6,
            destination: client_6,
            ..blank
        },
        Event {
            indicator: 1,
            protocol: 1,
            reason: number("monitor_address"),
            side: 2,
            version: 4,
            source: v4([203, 0, 113, 8]),
            destination: client,
            ..blank
        },
        Event {
            protocol: 50,
            reason: number("no_ports"),
            side: 1,
            version: 6,
            source: client_6,
            destination: server_6,
            ..blank
        },
        Event {
            protocol: 6,
            reason: number("truncated_ip"),
            ..blank
        },
        Event {
            reason: number("non_ip"),
            version: 4,
            ..blank
        },
    ];
    assert_eq!(events.len(), expected.len(), "a plain miss is not reported");
    for ((event, expected), packet) in events.iter().zip(expected).zip(&packets) {
        let length = u32::try_from(packet.build().len()).unwrap();
        assert_eq!(
            *event,
            Event {
                time: event.time,
                length,
                ..expected
            }
        );
    }
    assert!(
        events
            .windows(2)
            .all(|pair| 0 < pair[0].time && pair[0].time < pair[1].time)
    );
}

pub fn only_wanted_reasons_are_reported() {
    let mut loaded = loaded(u32::MAX, 1 << number("monitor_address"));
    for _ in 0..3 {
        assert_eq!(loaded.run(&listed()), XDP_DROP);
        loaded.run(&Packet::ethernet(0x0806).payload(&[0; 28]));
        loaded.run(&Packet::v4("203.0.113.8", "192.0.2.10").udp(1, 2));
    }
    let reasons: Vec<u8> = loaded.drain().iter().map(|event| event.reason).collect();
    assert_eq!(reasons, [number("monitor_address"); 3]);
    let lost = loaded.filter.maps.lost().unwrap();
    assert_eq!(
        (lost.limited, lost.full),
        (0, 0),
        "what nobody wants is not lost"
    );
}

/// Seconds are windows of 2³⁰ ns here, see `Budget`.
fn windows(events: &[Event]) -> BTreeMap<u64, u64> {
    let mut windows = BTreeMap::new();
    for event in events {
        *windows.entry(event.time >> 30).or_default() += 1;
    }
    windows
}

pub fn the_rate_limit_counts_what_it_holds_back() {
    const LIMIT: u32 = 50;
    const PACKETS: u64 = 5_000;
    let mut loaded = loaded(LIMIT, u64::MAX);
    thread::scope(|scope| {
        scope.spawn(|| {
            sys::stay_on_cpu(0).unwrap();
            (0..PACKETS).for_each(|_| assert_eq!(loaded.run(&listed()), XDP_DROP));
        });
    });
    let events = loaded.drain();
    let lost = loaded.filter.maps.lost().unwrap();
    let delivered = u64::try_from(events.len()).unwrap();
    assert_eq!((delivered + lost.limited, lost.full), (PACKETS, 0));
    assert_eq!(
        loaded.filter.maps.hits([0]).unwrap(),
        [PACKETS],
        "hits are not limited"
    );
    let windows = windows(&events);
    let limit = u64::from(LIMIT);
    assert_eq!(windows.values().next(), Some(&limit));
    assert!(windows.values().all(|count| *count <= limit), "{windows:?}");
}

pub fn every_cpu_has_its_own_rate() {
    let mut loaded = loaded(10, u64::MAX);
    let cpus = thread::available_parallelism().unwrap().get();
    thread::scope(|scope| {
        for cpu in 0..cpus {
            let loaded = &loaded;
            scope.spawn(move || {
                sys::stay_on_cpu(cpu).unwrap();
                (0..100).for_each(|_| assert_eq!(loaded.run(&listed()), XDP_DROP));
            });
        }
    });
    let events = loaded.drain();
    let (delivered, packets) = (
        u64::try_from(events.len()).unwrap(),
        u64::try_from(cpus * 100).unwrap(),
    );
    assert_eq!(
        delivered + loaded.filter.maps.lost().unwrap().limited,
        packets
    );
    assert!(
        delivered >= u64::try_from(cpus * 10).unwrap(),
        "{delivered} from {cpus} CPUs"
    );
    let most = windows(&events).into_values().max().unwrap();
    assert!(
        most <= u64::try_from(cpus * 10).unwrap(),
        "{most} in one window"
    );
}

pub fn a_full_ring_counts_what_it_loses() {
    const PACKETS: u64 = 10_000;
    let mut loaded = loaded(u32::MAX, u64::MAX);
    for _ in 0..PACKETS {
        assert_eq!(
            loaded.run(&listed()),
            XDP_DROP,
            "the verdict does not wait for a reader"
        );
    }
    let delivered = u64::try_from(loaded.drain().len()).unwrap();
    let lost = loaded.filter.maps.lost().unwrap();
    // 256 KiB, and 64 bytes of event behind 8 of header.
    assert_eq!(
        (delivered, lost.full, lost.limited),
        (262_144 / 72, PACKETS - delivered, 0)
    );
    assert_eq!(loaded.filter.maps.hits([0]).unwrap(), [PACKETS]);
    loaded.run(&listed());
    assert_eq!(loaded.drain().len(), 1, "what was read makes room");
}
