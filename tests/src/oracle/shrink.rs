//! Makes what was found small enough to be understood.

use crate::kernel::Setup;

/// The least of rules, configuration and frame of which `differs` still holds, as it does of the given
/// ones. What it calls is slow enough that a thousand calls are noticed.
pub fn smallest(
    mut setup: Setup,
    frame: &[u8],
    mut differs: impl FnMut(&Setup, &[u8]) -> bool,
) -> (Setup, Vec<u8>) {
    setup.rules = fewest(&setup.rules, |rules| {
        let rules = rules.to_vec();
        differs(
            &Setup {
                rules,
                ..setup.clone()
            },
            frame,
        )
    });
    setup.never = fewest(&setup.never, |never| {
        let never = never.to_vec();
        differs(
            &Setup {
                never,
                ..setup.clone()
            },
            frame,
        )
    });
    setup.tunnels = fewest(&setup.tunnels, |tunnels| {
        let tunnels = tunnels.to_vec();
        differs(
            &Setup {
                tunnels,
                ..setup.clone()
            },
            frame,
        )
    });
    setup.nat64 = fewest(&setup.nat64, |nat64| {
        let nat64 = nat64.to_vec();
        differs(
            &Setup {
                nat64,
                ..setup.clone()
            },
            frame,
        )
    });
    let setup = plainest(setup, |setup| differs(setup, frame));
    let frame = fewest(frame, |frame| differs(&setup, frame));
    let frame = quietest(frame, |frame| differs(&setup, frame));
    (setup, frame)
}

/// Switches back to their defaults, one by one.
fn plainest(mut setup: Setup, mut differs: impl FnMut(&Setup) -> bool) -> Setup {
    let plain = Setup::default;
    let mut candidates = vec![
        Setup {
            monitor: false,
            ..setup.clone()
        },
        Setup {
            closed: false,
            ..setup.clone()
        },
        Setup {
            role: plain().role,
            ..setup.clone()
        },
    ];
    if setup.link != "ip" {
        candidates.push(Setup {
            hook: "xdp".to_owned(),
            ..setup.clone()
        });
    }
    for candidate in candidates {
        let merged = Setup {
            monitor: setup.monitor && candidate.monitor,
            closed: setup.closed && candidate.closed,
            role: shorter(&setup.role, &candidate.role),
            hook: shorter(&setup.hook, &candidate.hook),
            ..setup.clone()
        };
        if differs(&merged) {
            setup = merged;
        }
    }
    setup
}

fn shorter(one: &str, other: &str) -> String {
    if other.len() < one.len() { other } else { one }.to_owned()
}

/// Leaves out runs of `items`, long ones first, as long as `differs` holds of the rest.
fn fewest<T: Clone>(items: &[T], mut differs: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut items = items.to_vec();
    let mut run = items.len();
    while run > 0 {
        let mut at = 0;
        while at < items.len() {
            let end = items.len().min(at + run);
            let rest = [&items[..at], &items[end..]].concat();
            if differs(&rest) {
                items = rest;
            } else {
                at = end;
            }
        }
        run /= 2;
    }
    items
}

/// Makes bytes zero that do not matter.
fn quietest(mut frame: Vec<u8>, mut differs: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    for at in 0..frame.len() {
        let byte = std::mem::replace(&mut frame[at], 0);
        if byte != 0 && !differs(&frame) {
            frame[at] = byte;
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_remains() {
        let rules: Vec<String> = (0..20).map(|number| format!("rule {number}")).collect();
        let setup = Setup {
            rules,
            never: vec!["hard 192.0.2.1".to_owned()],
            monitor: true,
            closed: true,
            hook: "tc_egress".to_owned(),
            ..Setup::default()
        };
        let frame: Vec<u8> = (1..=100).collect();
        let (setup, frame) = smallest(setup, &frame, |setup, frame| {
            let seven = setup.rules.iter().any(|rule| rule == "rule 7");
            seven && setup.closed && frame.contains(&40) && frame.len() >= 3
        });
        assert_eq!(setup.rules, ["rule 7"]);
        assert!(setup.never.is_empty() && setup.closed && !setup.monitor);
        assert_eq!(setup.hook, "xdp");
        assert_eq!(
            (frame.len(), frame.iter().filter(|byte| **byte != 0).count()),
            (3, 1)
        );
    }

    #[test]
    fn what_cannot_be_smaller_stays() {
        let setup = Setup {
            rules: vec!["a".to_owned(), "b".to_owned()],
            link: "ip".to_owned(),
            hook: "tc_egress".to_owned(),
            ..Setup::default()
        };
        let frame = vec![1, 2, 3];
        let (same, bytes) = smallest(setup.clone(), &frame, |now, bytes| {
            now.rules.len() == 2 && bytes == [1, 2, 3]
        });
        assert_eq!((same, bytes), (setup, frame));
    }
}
