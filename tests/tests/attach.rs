//! Links on real interfaces: frames that arrive or do not, and who holds the hook.

#[path = "attach/foreign.rs"]
mod foreign;
#[path = "attach/modes.rs"]
mod modes;
#[path = "attach/names.rs"]
mod names;
#[path = "attach/site.rs"]
mod site;

use std::{process::ExitCode, time::Duration};

use site::{BENIGN, C2, C2_6, Site, rules};
use trickblock::kernel::{Capacity, Filter, FilterError, Hook, Hooks, Maps, Mode, ModeChoice};
use trickblock_tests::{
    bpf, child,
    harness::{self, Need, Test},
    kernel::{PinDir, SMALL, counts, entries},
};

fn main() -> ExitCode {
    if let Some(role) = child::role() {
        return attach_and_end(&role);
    }
    let test = |name, run| Test {
        name,
        needs: XDP,
        run,
    };
    harness::main(&[
        test("native_xdp_drops_real_frames", native_xdp_drops_real_frames),
        test(
            "filtering_outlives_the_process",
            filtering_outlives_the_process,
        ),
        test(
            "a_reload_updates_the_link_in_place",
            a_reload_updates_the_link_in_place,
        ),
        test("a_grown_table_opens_no_gap", a_grown_table_opens_no_gap),
        test(
            "a_crash_while_the_table_grows_loses_nothing",
            a_crash_while_the_table_grows_loses_nothing,
        ),
        test("off_and_on", off_and_on),
        test(
            "on_does_not_stop_at_a_missing_interface",
            on_does_not_stop_at_a_missing_interface,
        ),
        test(
            "loopback_is_generic_and_says_so",
            modes::loopback_is_generic_and_says_so,
        ),
        test(
            "generic_on_request_drops_too",
            modes::generic_on_request_drops_too,
        ),
        test(
            "large_frames_do_not_refuse_native_mode",
            modes::large_frames_do_not_refuse_native_mode,
        ),
        test(
            "a_missing_interface_is_named",
            modes::a_missing_interface_is_named,
        ),
        test(
            "a_foreign_program_is_left_alone",
            foreign::a_foreign_program_is_left_alone,
        ),
        test(
            "a_deleted_interface_leaves_no_trace",
            names::a_deleted_interface_leaves_no_trace,
        ),
        test(
            "a_dotted_name_works_throughout",
            names::a_dotted_name_works_throughout,
        ),
        test(
            "a_renamed_interface_stays_filtered",
            names::a_renamed_interface_stays_filtered,
        ),
        test(
            "swapped_names_lose_no_link",
            names::swapped_names_lose_no_link,
        ),
    ])
}

const XDP: &[Need] = &[Need::Root, Need::Netns, Need::Bpf, Need::BpfFs, Need::Xdp];

fn native_xdp_drops_real_frames() {
    let site = Site::new("eth0");
    let mut filter = site.load(SMALL);
    for source in [C2, C2_6, BENIGN] {
        assert_eq!(site.wire.passes(source, 20), 20, "{source} before");
    }

    let attached = site.attach(&mut filter, ModeChoice::Native).unwrap();

    assert_eq!(
        (attached.mode, attached.adopted, attached.note),
        (Some(Mode::Native), false, None)
    );
    assert_eq!(site.xdp_mode(), "xdp");
    for (source, passing) in [(C2, 0), (C2_6, 0), (BENIGN, 20)] {
        assert_eq!(site.wire.passes(source, 20), passing, "{source}");
    }
    assert_eq!(counts(&filter.maps)[&("address", Some("source"))].0, 40);
    let hits: u64 = filter.maps.hits(0..2).unwrap().iter().sum();
    assert_eq!(hits, 40);

    filter.report_everything(false).unwrap();
    assert_eq!(site.wire.passes(C2, 1), 0);
    let event = filter.events.pop().unwrap();
    assert_eq!((event.interface, event.version), (attached.ifindex, 4));
    assert_eq!(event.source[..4], [203, 0, 113, 7]);
    assert_eq!(event.source_port, 443);
}

/// The child's part: load, attach, end. Its rules and its link stay.
fn attach_and_end(path: &str) -> ExitCode {
    let pins = trickblock::kernel::Pins::new(path);
    let mut filter = Filter::load(&pins, SMALL).unwrap();
    filter.maps.swap(&rules(), &[0, 1], 7).unwrap();
    filter.attach("eth0", ModeChoice::Native).unwrap();
    println!("{}", child::DONE);
    // As if killed: nothing is dropped.
    std::process::exit(0)
}

fn filtering_outlives_the_process() {
    let site = Site::new("eth0");
    let starter = site.wire.inside.command("env").unwrap();
    let role = site.pins.path().to_str().unwrap();
    let (done, said) = child::run(&mut child::with_role(starter, role).unwrap()).unwrap();
    assert!(done, "{said}");
    let link = site.pins.version().join("links/eth0");
    let (id, program) = bpf::link_ids(&link).unwrap();

    for (source, passing) in [(C2, 0), (C2_6, 0), (BENIGN, 20)] {
        assert_eq!(site.wire.passes(source, 20), passing, "{source}");
    }

    let mut filter = Filter::load(&site.pins.pins(), SMALL).unwrap();
    assert_eq!(filter.maps.entries().unwrap(), rules());
    assert_eq!(filter.maps.hits(0..2).unwrap().iter().sum::<u64>(), 40);
    let attached = site.attach(&mut filter, ModeChoice::Auto).unwrap();
    assert!(
        attached.adopted && attached.mode == Some(Mode::Native),
        "{attached:?}"
    );
    let (same, other) = bpf::link_ids(&link).unwrap();
    assert_eq!(same, id, "the link is the same");
    assert_ne!(other, program, "its program is the new one");
    assert_eq!(site.wire.passes(C2, 20), 0);
}

/// Twenty restarts under a stream of packets that must not pass.
fn a_reload_updates_the_link_in_place() {
    let site = Site::new("eth0");
    let mut filter = site.load(SMALL);
    site.attach(&mut filter, ModeChoice::Native).unwrap();
    site.wire.arrived();
    let stream = site.wire.stream(C2);
    for _ in 0..20 {
        drop(filter);
        filter = Filter::load(&site.pins.pins(), SMALL).unwrap();
        assert!(
            site.attach(&mut filter, ModeChoice::Native)
                .unwrap()
                .adopted
        );
    }
    let sent = stream.stop();
    assert!(sent > 1_000, "only {sent} sent");
    assert_eq!(site.wire.arrived(), 0, "of {sent}");
    assert_eq!(site.wire.passes(BENIGN, 5), 5);
    let dropped = counts(&filter.maps)[&("address", Some("source"))].0;
    assert_eq!(
        filter.maps.hits(0..2).unwrap().iter().sum::<u64>(),
        dropped,
        "no hit is lost"
    );
}

fn a_grown_table_opens_no_gap() {
    let site = Site::new("eth0");
    let mut filter = site.load(SMALL);
    site.attach(&mut filter, ModeChoice::Native).unwrap();
    site.wire.arrived();
    let stream = site.wire.stream(C2);
    for step in 2..8 {
        drop(filter);
        let capacity = Capacity::any(step * 10_000, step * 2_000);
        filter = Filter::load(&site.pins.pins(), capacity).unwrap();
        // Between both steps the old program still decides.
        std::thread::sleep(Duration::from_millis(20));
        assert!(
            site.attach(&mut filter, ModeChoice::Native)
                .unwrap()
                .adopted
        );
    }
    let sent = stream.stop();
    assert_eq!(site.wire.arrived(), 0, "of {sent}");
    assert_eq!(filter.maps.entries().unwrap(), rules());
    let dropped = counts(&filter.maps)[&("address", Some("source"))].0;
    assert_eq!(
        filter.maps.hits(0..2).unwrap().iter().sum::<u64>(),
        dropped,
        "no hit is lost"
    );
}

/// Whoever is killed before the programs with the larger table are attached leaves what decides and counts pinned.
fn a_crash_while_the_table_grows_loses_nothing() {
    let site = Site::new("eth0");
    let mut filter = site.load(SMALL);
    site.attach(&mut filter, ModeChoice::Native).unwrap();
    drop(filter);
    assert_eq!(site.wire.passes(C2, 5), 0);
    let hits = |maps: &Maps| maps.hits(0..2).unwrap().iter().sum::<u64>();
    for step in 2..5 {
        let before = hits(&Maps::open(&site.pins.pins()).unwrap());
        let capacity = Capacity::any(step * 10_000, step * 2_000);
        let grown = Filter::load(&site.pins.pins(), capacity).unwrap();
        let other = entries(&["drop 203.0.113.8"]).unwrap();
        grown.maps.swap(&other, &[2], 7).unwrap();
        drop(grown);

        assert_eq!(
            (site.wire.passes(C2, 7), site.wire.passes(BENIGN, 5)),
            (0, 5)
        );
        let maps = Maps::open(&site.pins.pins()).unwrap();
        assert_eq!(maps.entries().unwrap(), rules(), "what decides");
        assert_eq!(hits(&maps), before + 7, "what counts");
    }
    let mut filter = Filter::load(&site.pins.pins(), Capacity::any(50_000, 10_000)).unwrap();
    let all = hits(&filter.maps);
    site.attach(&mut filter, ModeChoice::Native).unwrap();
    assert_eq!(site.wire.passes(C2, 7), 0);
    assert_eq!(hits(&filter.maps), all + 7);
    assert_eq!(
        hits(&Maps::open(&site.pins.pins()).unwrap()),
        all + 7,
        "settled"
    );
    let dropped = counts(&filter.maps)[&("address", Some("source"))].0;
    assert_eq!(all + 7, dropped, "no hit is lost");
}

fn off_and_on() {
    let site = Site::new("eth0");
    let mut filter = site.load(SMALL);
    site.attach(&mut filter, ModeChoice::Native).unwrap();
    let hooks = Hooks::new(site.pins.pins());
    assert_eq!(site.wire.passes(C2, 5), 0);

    let names = site.inside(|| hooks.off()).unwrap();

    assert_eq!(
        (names, hooks.switched_off()),
        (vec!["eth0".to_owned()], vec!["eth0".to_owned()])
    );
    assert_eq!(site.attached(&hooks), [""; 0]);
    assert_eq!(site.wire.passes(C2, 5), 5);
    assert_eq!(
        site.inside(|| hooks.off()).unwrap(),
        [""; 0],
        "off twice is off"
    );
    // The pinned program serves even where the process that loaded it is gone.
    drop(filter);

    let attached = site.inside(|| hooks.on(ModeChoice::Auto)).unwrap();

    let found = attached
        .iter()
        .map(|on| (on.name.as_str(), on.hook, on.mode));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            ("eth0", Hook::Xdp, Some(Mode::Native)),
            ("eth0", Hook::TcxEgress, None)
        ]
    );
    assert_eq!(hooks.switched_off(), [""; 0]);
    assert_eq!(site.wire.passes(C2, 5), 0);
    assert_eq!(
        site.inside(|| hooks.on(ModeChoice::Auto)).unwrap(),
        [],
        "on twice is on"
    );

    let nobody = Hooks::new(PinDir::new().pins());
    let error = nobody.on(ModeChoice::Auto).unwrap_err();
    assert!(matches!(error, FilterError::NoFilter { .. }), "{error}");
}

fn on_does_not_stop_at_a_missing_interface() {
    let site = Site::new("eth1");
    site.wire
        .inside
        .connect("eth0", &site.wire.outside, "other0")
        .unwrap();
    let mut filter = site.load(SMALL);
    for name in ["eth0", "eth1"] {
        site.attach_to(&mut filter, name, ModeChoice::Native)
            .unwrap();
    }
    let hooks = Hooks::new(site.pins.pins());
    assert_eq!(site.inside(|| hooks.off()).unwrap(), ["eth0", "eth1"]);
    site.wire.inside.ip(&["link", "delete", "eth0"]).unwrap();

    let error = site.inside(|| hooks.on(ModeChoice::Auto)).unwrap_err();

    assert!(
        matches!(&error, FilterError::NoInterface { name } if name == "eth0"),
        "{error}"
    );
    assert_eq!(site.wire.passes(C2, 5), 0, "the other one is on");
    assert_eq!(
        hooks.switched_off(),
        ["eth0"],
        "and what is missing is not forgotten"
    );
}
