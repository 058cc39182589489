use super::*;
use crate::model::Model;

#[test]
fn a_seed_draws_the_same_round_again() {
    let draw = |seed| {
        let mut round = Round::new(seed, &[]);
        let frames: Vec<_> = (0..200).map(|_| round.frame()).collect();
        (round.setup, frames)
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7).1, draw(8).1);
}

#[test]
fn rounds_that_share_a_program_agree_on_what_it_is_loaded_with() {
    for seed in 0..500 {
        let (one, next) = (Round::new(seed, &[]).setup, Round::new(seed + 1, &[]).setup);
        if share_a_program(seed, seed + 1) {
            assert_eq!((one.tunnels, one.nat64), (next.tunnels, next.nat64));
        }
    }
}

/// Without a kernel: only the model judges.
#[test]
fn a_third_of_all_frames_hit_something() {
    let (mut hits, mut total) = (0, 0);
    // Of as many programs as there are.
    for seed in (0..200).map(|number| number << SHARED_BITS) {
        let mut round = Round::new(seed, &[]);
        let model = Model::new(&round.setup).unwrap();
        for _ in 0..200 {
            let answer = model.judge(&round.frame());
            hits += usize::from(answer.indicator.is_some());
            total += 1;
        }
    }
    assert!(hits * 100 > total * 30, "{hits} of {total}");
}

#[test]
fn captured_frames_are_met_by_rules() {
    let frame = crate::packet::Packet::v4("198.51.100.77", "198.51.100.78")
        .tcp(1, 443)
        .build();
    let captured = vec![frame; 3];
    let hits = (0..100).filter(|seed| {
        let mut round = Round::new(*seed, &captured);
        let model = Model::new(&round.setup).unwrap();
        !round.captured.is_empty()
            && (0..50).any(|_| {
                let answer = model.judge(&round.frame());
                answer
                    .indicator
                    .is_some_and(|name| name.starts_with("198.51.100.7"))
            })
    });
    assert!(hits.count() > 3);
}
