//! How the addresses of a real list cluster.

use crate::random::Random;

/// (listed addresses of a /24, number of such /24s) in the list `ipsum.txt` of 2026-08-22
/// (github.com/stamparm/ipsum): 120430 addresses in 65061 /24s.
#[rustfmt::skip]
const HOSTS_PER_24: [(usize, usize); 142] = [
    (1, 55736), (2, 5420), (3, 1590), (4, 664), (5, 349), (6, 239), (7, 132), (8, 104),
    (9, 75), (10, 73), (11, 47), (12, 37), (13, 35), (14, 41), (15, 28), (16, 40), (17, 14),
    (18, 16), (19, 16), (20, 12), (21, 11), (22, 10), (23, 16), (24, 10), (25, 7), (26, 7),
    (27, 10), (28, 8), (29, 14), (30, 4), (31, 5), (32, 4), (33, 5), (34, 2), (35, 4), (36, 3),
    (37, 7), (38, 6), (39, 2), (40, 5), (41, 6), (42, 4), (43, 2), (44, 4), (45, 1), (46, 4),
    (47, 3), (48, 3), (49, 8), (50, 3), (51, 2), (53, 1), (54, 3), (55, 3), (56, 1), (57, 1),
    (58, 5), (59, 1), (60, 6), (61, 5), (62, 4), (63, 5), (64, 5), (65, 2), (66, 1), (67, 1),
    (68, 1), (69, 1), (71, 2), (72, 3), (73, 2), (74, 3), (75, 4), (77, 2), (79, 2), (80, 1),
    (82, 1), (83, 1), (84, 2), (85, 3), (86, 1), (87, 1), (89, 1), (90, 1), (93, 1), (95, 2),
    (97, 3), (98, 4), (99, 2), (100, 5), (101, 2), (102, 1), (104, 2), (105, 2), (106, 2),
    (107, 1), (108, 1), (109, 1), (110, 1), (114, 1), (115, 1), (116, 1), (117, 2), (118, 1),
    (119, 1), (120, 3), (121, 3), (122, 3), (123, 3), (125, 3), (126, 3), (127, 1), (128, 2),
    (134, 1), (136, 1), (144, 2), (148, 1), (154, 1), (155, 1), (167, 1), (168, 1), (177, 1),
    (187, 1), (192, 1), (199, 1), (206, 1), (214, 1), (222, 1), (223, 1), (230, 1), (233, 2),
    (241, 4), (243, 1), (244, 5), (249, 2), (250, 1), (251, 3), (252, 3), (253, 2), (254, 2),
    (255, 1), (256, 35),
];

/// Draws how many addresses of a /24 are listed, 1 to 256.
pub fn hosts_of_24(random: &mut Random) -> usize {
    let total = HOSTS_PER_24.iter().map(|(_, count)| count).sum();
    let mut left = random.below(total);
    for (hosts, count) in HOSTS_PER_24 {
        match left.checked_sub(count) {
            None => return hosts,
            Some(rest) => left = rest,
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_24s_hold_one_address_and_the_mean_is_that_of_the_list() {
        let mut random = Random::new(5);
        let drawn: Vec<usize> = (0..50_000).map(|_| hosts_of_24(&mut random)).collect();
        let single = drawn.iter().filter(|hosts| **hosts == 1).count();
        assert!((42_000..44_000).contains(&single), "{single}");
        let mean = drawn.iter().sum::<usize>() as f64 / 50_000.0;
        assert!((1.6..2.1).contains(&mean), "{mean}");
    }
}
