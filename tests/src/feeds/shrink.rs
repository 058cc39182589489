//! Makes a body that breaks a promise as small as it gets.

use super::promise::Broken;

/// Attempts, each of which reads a body a few times.
const MOST: usize = 3_000;

/// The smallest body found that `check` says the same promise of, and what it says.
pub(super) fn shrink(
    body: &[u8],
    broken: Broken,
    check: impl Fn(&[u8]) -> Result<(), Broken>,
) -> (Vec<u8>, Broken) {
    let (mut body, mut broken) = (body.to_vec(), broken);
    let (mut size, mut tries) = (body.len().div_ceil(2), 0);
    while size > 0 && tries < MOST {
        let mut at = 0;
        while at < body.len() && tries < MOST {
            let end = (at + size).min(body.len());
            let shorter = [&body[..at], &body[end..]].concat();
            tries += 1;
            match check(&shorter) {
                Err(found) if found.promise == broken.promise => (body, broken) = (shorter, found),
                _ => at = end,
            }
        }
        size /= 2;
    }
    (body, broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let broken = |detail: &str| Broken {
            promise: "no x beside y",
            detail: detail.to_owned(),
        };
        let check = |body: &[u8]| match body.windows(2).any(|two| two == b"xy") {
            true => Err(broken("smaller")),
            false => Ok(()),
        };
        let (body, told) = shrink(b"aaaaaaaxybbbbbbbbbbb", broken("first"), check);
        assert_eq!(
            (body.as_slice(), told.detail.as_str()),
            (&b"xy"[..], "smaller")
        );
    }
}
