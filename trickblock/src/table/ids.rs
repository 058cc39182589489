//! Ids of hit counters: stable while an indicator stays listed, recycled after it left.

use super::Entry;
use crate::indicator::Indicator;

/// The id space `0..capacity`.
#[derive(Debug)]
pub struct Ids {
    capacity: u32,
    next: u32,
    free: Vec<u32>,
}

/// The entries of the next generation, and what happens to ids on the way.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    pub entries: Vec<Entry>,
    /// Given to new indicators: their counters must be zeroed before the flip.
    pub fresh: Vec<u32>,
    /// Of indicators that left: to be given back once no packet can see them any more.
    pub retired: Vec<u32>,
}

/// There are more indicators than hit counters.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the table is full: all {0} hit counters are in use; raise `capacity` in [table] and restart \
     trickblock (the filter stays on meanwhile)"
)]
pub struct OutOfIds(u32);

impl Ids {
    /// The ids that `live` entries hold stay taken.
    pub fn new(capacity: u32, live: &[Entry]) -> Self {
        let next = live.iter().map(|entry| entry.id + 1).max().unwrap_or(0);
        let mut taken = vec![false; next as usize];
        for entry in live {
            taken[entry.id as usize] = true;
        }
        let free = (0..next).rev().filter(|id| !taken[*id as usize]).collect();
        Self {
            capacity,
            next,
            free,
        }
    }

    /// Gives every indicator of `wanted` (sorted, unique) the id it has in `live`, or a free one.
    /// Nothing is taken until the plan is [committed](Self::commit).
    pub fn plan(
        &self,
        live: &[Entry],
        wanted: impl IntoIterator<Item = (Indicator, bool)>,
    ) -> Result<Plan, OutOfIds> {
        let mut supply = self
            .free
            .iter()
            .rev()
            .copied()
            .chain(self.next..self.capacity);
        let wanted = wanted.into_iter();
        let mut live = live.iter().peekable();
        let mut plan = Plan {
            entries: Vec::with_capacity(wanted.size_hint().0),
            fresh: Vec::new(),
            retired: Vec::new(),
        };
        for (indicator, drop) in wanted {
            while let Some(gone) = live.next_if(|entry| entry.indicator < indicator) {
                plan.retired.push(gone.id);
            }
            let id = match live.next_if(|entry| entry.indicator == indicator) {
                Some(kept) => kept.id,
                None => {
                    let id = supply.next().ok_or(OutOfIds(self.capacity))?;
                    plan.fresh.push(id);
                    id
                }
            };
            plan.entries.push(Entry {
                indicator,
                drop,
                id,
            });
        }
        plan.retired.extend(live.map(|entry| entry.id));
        Ok(plan)
    }

    /// The plan went live and a grace period is over.
    pub fn commit(&mut self, plan: &Plan) {
        for id in &plan.fresh {
            if self.free.last() == Some(id) {
                self.free.pop();
            } else {
                self.next = id + 1;
            }
        }
        self.free.extend(plan.retired.iter().rev());
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn indicators(hosts: &[u8]) -> Vec<(Indicator, bool)> {
        hosts
            .iter()
            .map(|host| {
                (
                    Indicator::host(IpAddr::V4(Ipv4Addr::new(192, 0, 2, *host))),
                    true,
                )
            })
            .collect()
    }

    #[test]
    fn ids_are_stable_recycled_late_and_never_shared() {
        let mut ids = Ids::new(4, &[]);
        let first = ids.plan(&[], indicators(&[1, 2, 3])).expect("room");
        assert_eq!(first.fresh, [0, 1, 2]);
        ids.commit(&first);
        let second = ids
            .plan(&first.entries, indicators(&[0, 1, 3]))
            .expect("room");
        assert_eq!(
            (second.fresh.as_slice(), second.retired.as_slice()),
            (&[3][..], &[1][..])
        );
        assert_eq!(second.entries[1].id, 0, "192.0.2.1 keeps its id");
        // Id 1 is only retired by this plan: it cannot be handed out in the same step.
        assert_eq!(
            ids.plan(&first.entries, indicators(&[0, 1, 3, 4])),
            Err(OutOfIds(4))
        );
        ids.commit(&second);
        let third = ids
            .plan(&second.entries, indicators(&[0, 1, 3, 9]))
            .expect("room");
        assert_eq!(third.fresh, [1]);
        ids.commit(&third);
        assert_eq!(
            ids.plan(&third.entries, indicators(&[0, 1, 3, 9, 10])),
            Err(OutOfIds(4))
        );
    }

    #[test]
    fn a_restart_knows_the_holes() {
        let entries = [5u32, 2]
            .iter()
            .zip(indicators(&[1, 2]))
            .map(|(id, (indicator, drop))| Entry {
                indicator,
                drop,
                id: *id,
            })
            .collect::<Vec<_>>();
        let plan = Ids::new(8, &entries)
            .plan(&entries, indicators(&[1, 2, 3, 4, 5, 6, 7, 8]))
            .expect("room");
        assert_eq!(plan.fresh, [0, 1, 3, 4, 6, 7]);
    }
}
