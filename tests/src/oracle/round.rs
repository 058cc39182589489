//! One round: rules, and packets judged under them.

use crate::{
    kernel::{Host, Setup},
    model::Model,
};

use super::{Found, Shares, Witnesses, draw::Round, shrink, witnesses::Answers};

/// Packets of one round.
pub const PACKETS: u64 = 4_000;

/// Runs the round of `seed` and adds to `shares`. The first packet that is judged in more than one way
/// ends it, and so does a counter that does not show what was sent.
pub fn run(
    witnesses: &mut Witnesses,
    seed: u64,
    captured: &[Vec<u8>],
    shares: &mut Shares,
) -> anyhow::Result<Option<Found>> {
    let mut round = Round::new(seed, captured);
    witnesses.set(&round.setup)?;
    shares.rounds += 1;
    for _ in 0..PACKETS {
        let counted = round.is_counted();
        let frame = round.frame();
        let answers = witnesses.ask(&frame, counted)?;
        if !answers.agree() {
            return minimised(witnesses, seed, round.setup, &frame).map(Some);
        }
        shares.counted += u64::from(counted && answers.program.is_some());
        shares.not_shown += u64::from(answers.program.is_none());
        shares.note(&answers.model.0, answers.model.1);
    }
    *shares.hooks.entry(shown(&round.setup)).or_default() += PACKETS;
    let wrong = witnesses.check_counters().err();
    Ok(wrong.map(|text| Found::in_counters(seed, round.setup, text)))
}

/// The same without a kernel: what the host says against what the model says.
pub fn run_without_program(
    seed: u64,
    captured: &[Vec<u8>],
    shares: &mut Shares,
) -> anyhow::Result<Option<Found>> {
    let mut round = Round::new(seed, captured);
    let (host, model) = (Host::new(&round.setup)?, Model::new(&round.setup)?);
    let ask = |host: &Host, model: &Model, frame: &[u8]| {
        anyhow::Ok(Answers {
            program: None,
            host: host.judge(frame)?,
            model: model.explain(frame),
        })
    };
    shares.rounds += 1;
    for _ in 0..PACKETS {
        let frame = round.frame();
        let answers = ask(&host, &model, &frame)?;
        shares.note(&answers.model.0, answers.model.1);
        if answers.agree() {
            continue;
        }
        let asked =
            |setup: &Setup, frame: &[u8]| ask(&Host::new(setup)?, &Model::new(setup)?, frame);
        let (setup, frame) = shrink::smallest(round.setup, &frame, |setup, frame| {
            asked(setup, frame).is_ok_and(|answers| !answers.agree())
        });
        let answers = asked(&setup, &frame)?;
        return Ok(Some(Found::packet(seed, setup, frame, answers)));
    }
    Ok(None)
}

/// Hook and link, as programs are told apart.
fn shown(setup: &Setup) -> String {
    if setup.link == "ip" {
        format!("{}_ip", setup.hook)
    } else {
        setup.hook.clone()
    }
}

fn minimised(
    witnesses: &mut Witnesses,
    seed: u64,
    setup: Setup,
    frame: &[u8],
) -> anyhow::Result<Found> {
    let (setup, frame) = shrink::smallest(setup, frame, |setup, frame| {
        let asked = witnesses
            .set(setup)
            .and_then(|()| witnesses.ask(frame, false));
        asked.is_ok_and(|answers| !answers.agree())
    });
    witnesses.set(&setup)?;
    let answers = witnesses.ask(&frame, false)?;
    Ok(Found::packet(seed, setup, frame, answers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_and_the_model_agree_without_a_kernel() {
        let mut shares = Shares::default();
        for seed in 0..40 {
            let found = run_without_program(seed, &[], &mut shares).unwrap();
            assert!(found.is_none(), "{}", found.unwrap());
        }
    }
}
