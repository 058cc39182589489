struct Instant(u64);
impl Instant {
    fn now() -> Self {
        let mut t = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
        Self(t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64)
    }
    fn elapsed(&self) -> std::time::Duration {
        std::time::Duration::from_nanos(Self::now().0 - self.0)
    }
}
use trickblock::{indicator::Indicator, table::*};
use trickblock_common::table::{Geometry, Room};
fn main() {
    for n in [100_000usize, 1_000_000, 10_000_000] {
        let mut x = 88172645463325252u64;
        let mut v: Vec<u32> = (0..n * 2)
            .map(|_| {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                (x >> 32) as u32
            })
            .collect();
        v.sort_unstable();
        v.dedup();
        // spread: take every other as base
        let base: Vec<u32> = v.iter().copied().step_by(2).take(n).collect();
        let more: Vec<u32> = v.iter().copied().skip(1).step_by(20).take(n / 10).collect();
        let entry = |(id, a): (usize, &u32)| Entry {
            indicator: Indicator::host(std::net::IpAddr::V4((*a).into())),
            drop: true,
            id: id as u32,
        };
        let t = Instant::now();
        let entries: Vec<Entry> = base.iter().enumerate().map(entry).collect();
        let mut grown: Vec<Entry> = entries.clone();
        grown.extend(more.iter().enumerate().map(|(i, a)| entry((i + n, a))));
        grown.sort_unstable_by_key(|e| e.indicator);
        println!("{n}: entries {:?} size {}", t.elapsed(), size_of::<Entry>());
        let g = Geometry::for_entries(Room {
            hosts: n as u64 * 5 / 4,
            v4: 0,
            v6: 0,
        })
        .unwrap();
        let mut half = vec![1u64; g.half as usize];
        for _ in 0..3 {
            let t = Instant::now();
            half.fill(0);
            let z = t.elapsed();
            let t = Instant::now();
            compile(&entries, 7, &g, &mut half).unwrap();
            let c = t.elapsed();
            println!(
                "{n}: zero {z:?} compile {c:?} = {:.1} ns",
                c.as_nanos() as f64 / n as f64
            );
        }
        let t = Instant::now();
        let ch = changes(&entries, &grown);
        println!("{n}: changes {:?} ({})", t.elapsed(), ch.len());
        let t = Instant::now();
        let h = half.as_mut_slice();
        let cl = apply(&ch, &mut &mut *h, &g).unwrap();
        let e = t.elapsed();
        println!(
            "{n}: apply {e:?} = {:.1} ns each, {}",
            e.as_nanos() as f64 / ch.len() as f64,
            cl.is_empty()
        );
        let t = Instant::now();
        let ids = Ids::new(20_000_000, &[]);
        let plan = ids
            .plan(&[], entries.iter().map(|e| (e.indicator, true)))
            .unwrap();
        println!("{n}: plan {:?} {}", t.elapsed(), plan.entries.len());
        let t = Instant::now();
        let d = dump(&half, &g);
        println!("{n}: dump {:?} {}", t.elapsed(), d.len());
    }
}
