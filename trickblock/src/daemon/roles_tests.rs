use super::*;

fn interface(name: &str, role: config::Role) -> Interface {
    Interface {
        role,
        ..Interface::new(name)
    }
}

/// `lan0:inside wan0:auto`
fn interfaces(text: &str) -> Vec<Interface> {
    let one = |word: &str| {
        let (name, role) = word.split_once(':').unwrap();
        let role = match role {
            "inside" => config::Role::Inside,
            "uplink" => config::Role::Uplink,
            _ => config::Role::Auto,
        };
        interface(name, role)
    };
    text.split(' ').map(one).collect()
}

/// `gateway: lan0 inside, wan0 uplink`
fn resolved(mode: Mode, configured: &str, forwards: bool, routes: &[&str]) -> String {
    let interfaces = interfaces(configured);
    let facts = Facts {
        forwards,
        default_routes: routes.iter().map(ToString::to_string).collect(),
    };
    let roles = Roles::resolve(mode, &interfaces, &facts);
    let named: Vec<String> = interfaces
        .iter()
        .map(|interface| format!("{} {}", interface.name, roles.of(&interface.name).0.name()))
        .collect();
    format!("{}: {}", roles.mode, named.join(", "))
}

#[test]
fn every_combination() {
    use Mode::{Auto, Gateway, Host};
    let both = "a:auto b:auto";
    let cases: [(Mode, &str, bool, &[&str], &str); 14] = [
        // What is configured stands.
        (Gateway, both, true, &["b"], "gateway: a inside, b uplink"),
        (Gateway, both, false, &["b"], "gateway: a inside, b uplink"),
        (Gateway, both, true, &[], "gateway: a inside, b inside"),
        (
            Gateway,
            both,
            true,
            &["a", "b"],
            "gateway: a uplink, b uplink",
        ),
        (Gateway, "a:auto", false, &["a"], "gateway: a uplink"),
        (Host, both, true, &["b"], "host: a uplink, b uplink"),
        (
            Host,
            "a:inside b:auto",
            true,
            &["b"],
            "host: a inside, b uplink",
        ),
        (
            Gateway,
            "a:uplink b:inside",
            true,
            &["b"],
            "gateway: a uplink, b inside",
        ),
        // An inside makes a gateway, forwarding or not.
        (
            Auto,
            "a:inside b:auto",
            false,
            &["b"],
            "gateway: a inside, b uplink",
        ),
        (Auto, "a:inside", false, &[], "gateway: a inside"),
        // Two interfaces do where the kernel forwards.
        (Auto, both, true, &["a"], "gateway: a uplink, b inside"),
        (Auto, both, false, &["a"], "host: a uplink, b uplink"),
        (Auto, "a:auto", true, &["a"], "host: a uplink"),
        (
            Auto,
            "a:uplink b:auto",
            true,
            &[],
            "gateway: a uplink, b inside",
        ),
    ];
    for (mode, configured, forwards, routes, expected) in cases {
        let found = resolved(mode, configured, forwards, routes);
        assert_eq!(
            found, expected,
            "{mode:?} {configured} {forwards} {routes:?}"
        );
    }
}

#[test]
fn the_reason_is_told() {
    let one = interfaces("a:auto");
    let roles = Roles::resolve(Mode::Auto, &one, &Facts::default());
    assert_eq!(roles.reason, "one interface is filtered");
    assert_eq!(roles.of("a").1, "this host is what is protected");
    assert_eq!(roles.of("b"), (Role::Unknown, "not configured"));
}
