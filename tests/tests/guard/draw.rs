//! Guards and feeds that have much to do with each other.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU16,
};

use ipnet::IpNet;
use trickblock::{
    feed::Row,
    indicator::{Indicator, Protocol, Sighting},
    policy::{Action, FeedRows, Label, Learned, Lists, Surroundings, Terms},
};
use trickblock_tests::random::Random;

pub const PORT: u16 = 443;

/// Documentation space, special space, and what is shipped.
const V4: [[u8; 4]; 8] = [
    [203, 0, 113, 1],
    [203, 0, 113, 128],
    [198, 51, 100, 7],
    [192, 0, 2, 1],
    [198, 18, 0, 1],
    [10, 0, 0, 1],
    [9, 9, 9, 9],
    [192, 5, 5, 241],
];
const V6: [u128; 4] = [
    0x2001_0db8_0000_0000_0000_0000_0000_0001,
    0x2001_0db8_0001_0000_0000_0000_0000_0053,
    0xfe80_0000_0000_0000_0000_0000_0000_0001,
    0x2620_00fe_0000_0000_0000_0000_0000_00fe,
];

pub fn lists(random: &mut Random) -> Lists {
    let learned = some(random, 4).into_iter().map(|prefix| Learned {
        prefix,
        why: "it is learned".to_owned(),
    });
    let surroundings = Surroundings {
        learned: learned.collect(),
        connected: some(random, 2),
    };
    Lists {
        allow: some(random, 3),
        own: some(random, 3),
        except: if random.percent(30) {
            some(random, 3)
        } else {
            Vec::new()
        },
        shipped: random.percent(70),
        surroundings,
    }
}

fn some(random: &mut Random, bound: usize) -> Vec<IpNet> {
    (0..random.below(bound)).map(|_| prefix(random)).collect()
}

/// One to five rows, most of them at, in or around something that is protected.
pub fn rows(random: &mut Random, lists: &Lists) -> Vec<Row> {
    let targets: Vec<IpNet> = [&lists.allow, &lists.own, &lists.surroundings.connected]
        .into_iter()
        .flatten()
        .copied()
        .chain(
            lists
                .surroundings
                .learned
                .iter()
                .map(|learned| learned.prefix),
        )
        .collect();
    let count = 1 + random.below(5);
    (1..)
        .take(count)
        .map(|line| {
            let aimed = !targets.is_empty() && random.percent(60);
            let prefix = match aimed {
                true => near(random.pick(&targets), random),
                false => prefix(random),
            };
            Row {
                line,
                indicator: indicator(prefix, random),
                sighting: Sighting::default(),
            }
        })
        .collect()
}

pub fn feed(rows: &[Row], wide: bool) -> FeedRows<'_> {
    FeedRows {
        label: Label::new(
            "feed",
            0,
            Terms {
                wide,
                ..Terms::of(Action::Drop)
            },
        ),
        rows,
    }
}

fn indicator(prefix: IpNet, random: &mut Random) -> Indicator {
    let protocol = random.percent(20).then_some(Protocol::TCP);
    let port = random.percent(30).then(|| NonZeroU16::new(PORT)).flatten();
    Indicator::new(prefix, protocol, port)
}

/// The same, a part of it, or something around it; perhaps as IPv6 writes it.
fn near(target: IpNet, random: &mut Random) -> IpNet {
    let longest = usize::from(target.max_prefix_len());
    let length = usize::from(target.prefix_len());
    let other = match random.below(4) {
        0 => length,
        1 => length + random.below(longest - length + 1),
        2 => length.saturating_sub(1 + random.below(9)),
        _ => longest,
    };
    disguised(net(inside(target, random), other), random)
}

/// A random address of a prefix.
pub fn inside(target: IpNet, random: &mut Random) -> IpAddr {
    let free = u32::from(target.max_prefix_len() - target.prefix_len());
    let noise = u128::from(random.bits()) << 64 | u128::from(random.bits());
    let noise = noise & !u128::MAX.checked_shl(free).unwrap_or(0);
    match target.network() {
        IpAddr::V4(address) => {
            let noise = u32::try_from(noise).expect("at most 32 bits");
            (address.to_bits() | noise).to_be_bytes().into()
        }
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() | noise).into(),
    }
}

fn prefix(random: &mut Random) -> IpNet {
    let whole = random.percent(50);
    if random.percent(30) {
        let bits = random.pick(&V6) ^ u128::from(random.bits() & 3) << (8 * random.below(10));
        let length = if whole { 128 } else { 16 + random.below(113) };
        return net(Ipv6Addr::from_bits(bits).into(), length);
    }
    let bits =
        u32::from_be_bytes(random.pick(&V4)) ^ (random.byte() as u32 & 3) << (8 * random.below(3));
    let length = if whole { 32 } else { 6 + random.below(27) };
    disguised(net(Ipv4Addr::from_bits(bits).into(), length), random)
}

/// IPv4 as it is, mapped, behind NAT64, or as 6to4 writes it.
fn disguised(prefix: IpNet, random: &mut Random) -> IpNet {
    let IpNet::V4(v4) = prefix else {
        return prefix;
    };
    let kind = random.below(10);
    let Some((address, before)) = forms(v4.network()).get(kind).copied() else {
        return prefix;
    };
    net(address.into(), before + usize::from(v4.prefix_len()))
}

/// IPv6 addresses that stand for an IPv4 one, and the bits before that one.
pub fn forms(address: Ipv4Addr) -> [(Ipv6Addr, usize); 3] {
    let bits = u128::from(address.to_bits());
    [
        (Ipv6Addr::from_bits(0xffff << 32 | bits), 96),
        (Ipv6Addr::from_bits(0x64_ff9b << 96 | bits), 96),
        (Ipv6Addr::from_bits(0x2002 << 112 | bits << 80), 16),
    ]
}

fn net(address: IpAddr, length: usize) -> IpNet {
    let length = u8::try_from(length).expect("at most 128");
    IpNet::new(address, length)
        .expect("within the family")
        .trunc()
}
