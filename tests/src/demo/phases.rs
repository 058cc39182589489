//! The phases of the demo, in the order in which they run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::{
    AT_FIRST, CSV_PATH, Demo, PLAIN_PATH,
    channel::{Channel, Expect},
    filter::Filter,
    lists,
    message::Kind,
    plan::{Pair, Role},
    report::{Phase, names},
    round,
    stream::{self, Stream},
};

impl<F: Filter, P: FnMut(&str)> Demo<'_, F, P> {
    pub(super) fn all_phases(&mut self) -> anyhow::Result<()> {
        self.unfiltered()?;
        self.live()?;
        self.new_c2()?;
        self.removed_c2()?;
        self.stopped()?;
        self.off()
    }

    fn unfiltered(&mut self) -> anyhow::Result<()> {
        self.say("filter off: every packet should arrive");
        for channel in self.in_rounds(&ALL_BUT_NEW) {
            channel.establish()?;
        }
        let phase = self.round(names::UNFILTERED, 1, &ALL_BUT_NEW, &[], true)?;
        self.finish(phase)
    }

    fn live(&mut self) -> anyhow::Result<()> {
        self.say("starting the daemon on the gateway");
        self.publish(&AT_FIRST)?;
        self.feed
            .publish(PLAIN_PATH, "text/plain", lists::PLAIN_LIST.to_owned());
        let place = self.place.clone();
        self.filter.start(&place)?;
        self.wait_until_live()?;
        self.say("filter on: the same round again");
        let phase = self.round(names::LIVE, 2, &ALL_BUT_NEW, &AT_FIRST, true)?;
        self.channels.iter().for_each(|channel| channel.forget());
        self.finish(phase)
    }

    fn new_c2(&mut self) -> anyhow::Result<()> {
        let channel = self.only(Role::NewC2)?;
        self.say(&format!(
            "a new C2, {}, appears in the feed",
            channel.pair.endpoint
        ));
        let background = self.background(3)?;
        let csv = self.csv(&[Role::C2, Role::RemovedC2, Role::NewC2]);
        let change = || self.feed.publish(CSV_PATH, "text/csv", csv);
        let cut = stream::until_blocked(&channel, 3, change)?;
        self.report.time_to_block = Some(cut.time_to_block);
        let (sent, delivered) = background.finish()?;
        let mut phase = Phase {
            name: names::NEW,
            ..Phase::default()
        };
        phase.blocked.add(cut.sent_after, cut.leaked);
        phase.benign.add(sent, delivered);
        self.say(&format!("blocked after {:.0?}", cut.time_to_block));
        self.finish(phase)
    }

    fn removed_c2(&mut self) -> anyhow::Result<()> {
        let channel = self.only(Role::RemovedC2)?;
        self.say(&format!(
            "a C2, {}, is removed from the feed",
            channel.pair.endpoint
        ));
        let background = self.background(4)?;
        let csv = self.csv(&NOW_LISTED);
        let change = || self.feed.publish(CSV_PATH, "text/csv", csv);
        let time = stream::until_passed(&channel, 4, change)?;
        self.report.time_to_unblock = Some(time);
        let mut phase = self.round(names::REMOVED, 5, &ALL, &NOW_LISTED, false)?;
        let (sent, delivered) = background.finish()?;
        phase.benign.add(sent, delivered);
        self.say(&format!("it passes again after {time:.0?}"));
        self.finish(phase)
    }

    fn stopped(&mut self) -> anyhow::Result<()> {
        self.say("SIGTERM for the daemon: the filter should stay");
        let background = self.background(6)?;
        self.filter.stop()?;
        let mut phase = self.round(names::STOPPED, 7, &ALL, &NOW_LISTED, false)?;
        let (sent, delivered) = background.finish()?;
        phase.benign.add(sent, delivered);
        self.finish(phase)
    }

    fn off(&mut self) -> anyhow::Result<()> {
        self.say("`trickblock off`: every packet should arrive again");
        self.filter.off()?;
        let phase = self.round(names::OFF, 8, &ALL, &[], false)?;
        self.finish(phase)
    }

    /// One round of the pairs in `roles`, of which those in `listed` must be blocked.
    fn round(
        &self,
        name: &'static str,
        number: u8,
        roles: &[Role],
        listed: &[Role],
        open_connection: bool,
    ) -> anyhow::Result<Phase> {
        let channels = self.in_rounds(roles);
        let expect = |channel: &Channel| match listed.contains(&channel.pair.role) {
            true => Expect::Blocked,
            false => Expect::Delivered,
        };
        let channels: Vec<_> = channels.iter().map(|one| (&**one, expect(one))).collect();
        let tallies = round::run(number, &channels, open_connection, &self.witness)?;
        let is_c2 = |number: u8| {
            self.channels
                .iter()
                .any(|one| one.pair.number == number && one.pair.role != Role::Benign)
        };
        Ok(Phase::new(name, &tallies, is_c2))
    }

    fn finish(&mut self, phase: Phase) -> anyhow::Result<()> {
        let Phase {
            blocked,
            passing,
            benign,
            ..
        } = &phase;
        let mut parts = Vec::new();
        for (count, what) in [
            (blocked, "listed C2"),
            (passing, "other C2"),
            (benign, "benign"),
        ] {
            if count.sent > 0 {
                parts.push(format!("{} of {} {what}", count.delivered, count.sent));
            }
        }
        self.say(&format!("  arrived: {}", parts.join(", ")));
        self.report.phases.push(phase);
        crate::sys::stop_if_interrupted().map_err(Into::into)
    }

    fn wait_until_live(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + LIVE;
        loop {
            if let Some(live) = self.filter.live()? {
                self.say(&format!(
                    "live: {} indicators, XDP {}",
                    live.indicators, live.xdp_mode
                ));
                self.report.indicators = Some(live.indicators);
                self.report.xdp_mode = Some(live.xdp_mode);
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("the filter was not in force within {LIVE:?}: see `trickblock status`");
            }
            round::pause(Duration::from_millis(50))?;
        }
    }

    /// Benign datagrams in both families and directions while something changes.
    fn background(&self, round: u8) -> anyhow::Result<Stream> {
        let benign = self.in_rounds(&[Role::Benign]);
        let of_family = |v6: bool| benign.iter().find(|one| one.pair.endpoint.is_ipv6() == v6);
        let (v4, v6) = of_family(false)
            .zip(of_family(true))
            .context("no benign pair")?;
        let channels = vec![Arc::clone(v4), Arc::clone(v6)];
        Ok(Stream::start(channels, round, &[Kind::UdpOut, Kind::UdpIn]))
    }

    fn in_rounds(&self, roles: &[Role]) -> Vec<Arc<Channel>> {
        let wanted = self
            .channels
            .iter()
            .filter(|one| roles.contains(&one.pair.role));
        wanted.map(Arc::clone).collect()
    }

    fn only(&self, role: Role) -> anyhow::Result<Arc<Channel>> {
        self.in_rounds(&[role])
            .pop()
            .with_context(|| format!("the plan has no {role:?}"))
    }

    fn csv(&self, listed: &[Role]) -> String {
        let pairs: Vec<Pair> = self.channels.iter().map(|channel| channel.pair).collect();
        lists::feodo_csv(&lists::csv_rows(&pairs, listed))
    }

    fn publish(&self, listed: &[Role]) -> anyhow::Result<()> {
        self.feed.publish(CSV_PATH, "text/csv", self.csv(listed));
        Ok(())
    }
}

const ALL: [Role; 4] = [Role::C2, Role::RemovedC2, Role::NewC2, Role::Benign];
const ALL_BUT_NEW: [Role; 3] = [Role::C2, Role::RemovedC2, Role::Benign];
/// After both changes of the feed.
const NOW_LISTED: [Role; 2] = [Role::C2, Role::NewC2];
const LIVE: Duration = Duration::from_secs(30);
