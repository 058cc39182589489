use trickblock_common::Verdict;

use super::*;

fn event(source: [u8; 4], destination: [u8; 4], side: Side, reason: Reason) -> Event {
    let bytes = |four: [u8; 4]| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&four);
        bytes
    };
    Event {
        time: 0,
        indicator: 7,
        interface: 3,
        length: 60,
        source_port: 40_000,
        destination_port: 447,
        protocol: 6,
        reason: reason as u8,
        side: side as u8,
        version: 4,
        direction: Direction::Out as u8,
        source: bytes(source),
        destination: bytes(destination),
        ..EMPTY
    }
}

const EMPTY: Event = Event {
    time: 0,
    indicator: 0,
    interface: 0,
    length: 0,
    source_port: 0,
    destination_port: 0,
    protocol: 0,
    reason: 0,
    side: 0,
    version: 0,
    direction: 0,
    flags: 0,
    reserved: 0,
    source: [0; 16],
    destination: [0; 16],
};
const CLIENT: [u8; 4] = [198, 18, 7, 2];
const C2: [u8; 4] = [203, 0, 113, 7];

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn outgoing(at: i64) -> Sighted {
    let event = event(CLIENT, C2, Side::Destination, Reason::AddressPort);
    Sighted::of(&event, second(at)).unwrap()
}

fn report(recorder: &Recorder) -> Contacts {
    recorder.report(None, EventStatus::default(), &Containers::default())
}

#[test]
fn the_client_is_the_end_that_is_not_listed() {
    let incoming = event(C2, CLIENT, Side::Source, Reason::MonitorAddress);
    let incoming = Sighted::of(&incoming, second(0)).unwrap();
    for sighted in [outgoing(0), incoming] {
        assert_eq!(sighted.client, IpAddr::from(CLIENT));
        assert_eq!(sighted.far, IpAddr::from(C2));
    }
    assert_eq!(
        outgoing(0).flow(),
        "drop 198.18.7.2:40000 -> 203.0.113.7:447 tcp"
    );
    assert_eq!(
        incoming.flow(),
        "monitor 203.0.113.7:40000 -> 198.18.7.2:447 tcp"
    );
}

#[test]
fn what_passes_is_no_contact() {
    for reason in Reason::ALL {
        let event = event(CLIENT, C2, Side::Destination, *reason);
        let contact = Sighted::of(&event, second(0)).is_some();
        let listed = reason.verdict() != Verdict::Pass && !reason.name().starts_with("closed_");
        assert_eq!(contact, listed, "{reason:?}");
    }
}

#[test]
fn one_record_for_many_packets() {
    let mut recorder = Recorder::new(second(0));
    assert!(recorder.record(outgoing(5), None));
    assert!(!recorder.record(outgoing(9), None));

    let report = report(&recorder);

    let [contact] = report.contacts.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!((contact.packets, contact.port), (2, 447));
    assert_eq!(contact.direction, "out");
    assert_eq!(contact.first, second(5).to_string());
    assert_eq!(contact.last, second(9).to_string());
    assert_eq!(contact.interface, "interface 3");
    assert_eq!(report.since, second(0).to_string());
}

#[test]
fn names_may_come_later() {
    let mut recorder = Recorder::new(second(0));
    recorder.record(outgoing(5), None);
    let container = Container {
        name: "job".to_owned(),
        id: "1f".to_owned(),
        network: "lab".to_owned(),
    };
    let mut containers = Containers::default();
    containers.arrived(CLIENT.into(), container.clone(), second(4));
    recorder.record(outgoing(6), Some(Arc::new(container.clone())));
    assert_eq!(report(&recorder).contacts.len(), 2);
    assert_eq!(recorder.unnamed(), BTreeSet::from([7]));

    let named = Named {
        indicator: "203.0.113.7:447".to_owned(),
        family: Some("TrickBot".to_owned()),
        feeds: vec!["own".to_owned()],
    };
    recorder.name_containers(&containers);
    recorder.name(
        &BTreeMap::from([(7, Arc::new(named))]),
        &BTreeMap::from([(3, "br-lab".to_owned())]),
    );

    let contacts = report(&recorder).contacts;
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    let [contact] = contacts.as_slice() else {
        panic!("{contacts:?}")
    };
    assert_eq!(contact.container, Some(container));
    assert_eq!((contact.packets, contact.interface.as_str()), (2, "br-lab"));
    assert_eq!(contact.indicator.as_deref(), Some("203.0.113.7:447"));
    assert_eq!(recorder.unnamed(), BTreeSet::new());
}

#[test]
fn only_what_was_seen_lately() {
    let mut recorder = Recorder::new(second(0));
    recorder.record(outgoing(5), None);
    let since = |at| {
        let containers = Containers::default();
        recorder.report(Some(second(at)), EventStatus::default(), &containers)
    };
    assert_eq!(since(5).contacts.len(), 1);
    assert_eq!(since(6).contacts.len(), 0);
    assert_eq!(since(6).since, second(6).to_string());
    assert_eq!(
        since(-9).since,
        second(0).to_string(),
        "not before the daemon"
    );
}

#[test]
fn records_are_bounded_and_the_rest_is_counted() {
    let mut recorder = Recorder::new(second(0));
    for number in 0..MAX_RECORDS + 3 {
        let number = u32::try_from(number).unwrap();
        let client = IpAddr::from(number.to_be_bytes());
        recorder.record(
            Sighted {
                client,
                ..outgoing(1)
            },
            None,
        );
    }
    recorder.record(
        Sighted {
            client: IpAddr::from([0, 0, 0, 1]),
            ..outgoing(2)
        },
        None,
    );

    let report = report(&recorder);
    assert_eq!((report.contacts.len(), report.unrecorded), (MAX_RECORDS, 3));
    assert_eq!(report.contacts[0].packets, 2, "the latest comes first");
}
