//! What a change by hand may concern, and where that stands in a sorted list: a set of a million indicators is not read through
//! for one.

use std::ops::Range;

use ipnet::IpNet;

use super::guard::{EMBEDDING, standing_for};
use crate::indicator::Indicator;

/// The indicators whose part in the rules may change.
#[derive(Clone, Copy, Debug)]
pub enum Reach {
    Just(Indicator),
    /// All inside of a prefix, also in the IPv6 form of an IPv4 one.
    Inside(IpNet),
}

impl Reach {
    #[inline]
    pub fn holds(&self, indicator: &Indicator) -> bool {
        match self {
            Self::Just(one) => indicator == one,
            Self::Inside(prefix) => {
                let embedded = standing_for(&indicator.prefix);
                prefix.contains(&indicator.prefix)
                    || embedded.is_some_and(|net| prefix.contains(&net))
            }
        }
    }

    /// Where all that it holds is in a list that is sorted by indicator, in order; others may be there too.
    pub fn ranges<T>(&self, sorted: &[T], of: impl Fn(&T) -> &Indicator) -> Vec<Range<usize>> {
        let prefix = match self {
            Self::Just(one) => {
                let start = sorted.partition_point(|item| of(item) < one);
                let end = start + sorted[start..].partition_point(|item| of(item) == one);
                return std::iter::once(start..end).collect();
            }
            // It also holds what contains an embedding.
            Self::Inside(prefix) if prefix.prefix_len() == 0 => {
                return std::iter::once(0..sorted.len()).collect();
            }
            Self::Inside(prefix) => prefix,
        };
        let embeddings = EMBEDDING.iter().map(|(net, _)| IpNet::V6(*net));
        let forms = embeddings.filter(|_| prefix.addr().is_ipv4());
        let mut nets: Vec<IpNet> = forms.chain([*prefix]).collect();
        nets.sort_unstable();
        nets.iter()
            .map(|net| inside(net, sorted, |item| of(item).prefix))
            .collect()
    }

    /// What it holds of a list that is sorted by indicator.
    pub fn of<'a, T>(
        &'a self,
        sorted: &'a [T],
        of: impl Fn(&T) -> &Indicator + Copy + 'a,
    ) -> impl Iterator<Item = &'a T> {
        let ranges = self.ranges(sorted, of).into_iter();
        let some = ranges.flat_map(|range| &sorted[range]);
        some.filter(move |item| self.holds(of(item)))
    }
}

/// Where in a sorted list the prefixes inside of `net` are: behind it by its own order, up to its last address.
fn inside<T>(net: &IpNet, sorted: &[T], of: impl Fn(&T) -> IpNet) -> Range<usize> {
    let start = sorted.partition_point(|item| of(item) < *net);
    let behind = sorted[start..].partition_point(|item| net.contains(&of(item)));
    start..start + behind
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn indicator(text: &str) -> Indicator {
        text.parse().expect("an indicator")
    }

    /// Addresses and prefixes close to each other, in both forms.
    fn near() -> impl Strategy<Value = Indicator> {
        let net = (any::<u8>(), any::<u8>(), 0_usize..8, 0_u8..3).prop_map(
            |(third, fourth, length, form)| {
                let length = [0, 8, 16, 20, 24, 25, 31, 32][length];
                match form {
                    0 => format!("198.51.{third}.{fourth}/{length}"),
                    1 => format!("64:ff9b::c633:{third:02x}{fourth:02x}/{}", 96 + length),
                    _ => format!("2002:c633:{third:02x}{fourth:02x}::/{}", 16 + length),
                }
            },
        );
        (net, prop::option::of(1_u16..4)).prop_map(|(net, port)| {
            let net: IpNet = net.parse().expect("a prefix");
            Indicator::new(net, None, port.and_then(std::num::NonZeroU16::new))
        })
    }

    proptest! {
        #[test]
        fn nothing_that_it_holds_is_left_out(mut all in prop::collection::vec(near(), 1..60), one in near(), just: bool) {
            all.sort_unstable();
            let reach = if just { Reach::Just(all[all.len() / 2]) } else { Reach::Inside(one.prefix) };
            let found: Vec<_> = reach.of(&all, |one| one).collect();
            let expected: Vec<_> = all.iter().filter(|one| reach.holds(one)).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_contains_an_embedding_is_inside_of_all_addresses() {
        let all = [indicator("198.51.100.7"), indicator("2000::/3")];
        let reach = Reach::Inside("0.0.0.0/0".parse().expect("a prefix"));
        assert_eq!(reach.of(&all, |one| one).count(), 2);
        let reach = Reach::Inside("198.51.100.0/24".parse().expect("a prefix"));
        assert_eq!(reach.of(&all, |one| one).count(), 1);
    }
}
