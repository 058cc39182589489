//! Keys that nobody knows.

use super::*;

#[test]
fn unknown_keys_are_placed_and_a_near_one_is_suggested() {
    let text = "[[interface]]\nname = \"eth0\"\n[[feed]]\nname = \"f\"\npath = \"f\"\nactoin = \"drop\"\n  intervall = \"5m\"\nzzz = 1\n[fliter]\nmode=\"drop\"\n";

    let found = problems(text);

    assert_eq!(
        found,
        [
            "F:6:1: unknown key `actoin` in [[feed]]; did you mean `action`?",
            "F:7:3: unknown key `intervall` in [[feed]]; did you mean `interval`?",
            "F:8:1: unknown key `zzz` in [[feed]]; it knows `preset`, `name`, `url`, `path`, `api`, `days`, `format`, `csv`, `action`, `hold_down`, `canary`, `canary_packets`, `min_confidence`, `min_feeds`, `kind`, `authority`, `order`, `until`, `wide`, `max_addresses`, `interval`, `min_interval`, `timeout`, `connect_timeout`, `min_rate`, `private`, `redirect_hosts`, `proxy`, `proxy_auth_file`, `headers`, `headers_file`, `minisign`, `minisign_file`, `signature` and `pins`",
            "F:9:2: unknown key `fliter` in the file; did you mean `filter`?",
        ]
    );
}
