//! Real containers, in an engine of the tests' own.

#[path = "docker/ci.rs"]
mod ci;
#[path = "docker/compose.rs"]
mod compose;
#[path = "docker/host.rs"]
mod host;
#[path = "docker/inside.rs"]
mod inside;
#[path = "docker/names.rs"]
mod names;
#[path = "docker/site.rs"]
mod site;

use std::process::ExitCode;

use trickblock_tests::harness::{self, Need, Test};

fn main() -> ExitCode {
    let test = |name, run| Test {
        name,
        needs: DOCKER,
        run,
    };
    harness::main(&[
        test("outbound_on_every_hook", host::outbound),
        test("published_ports", host::published_ports),
        test("container_to_container", host::container_to_container),
        test("a_container_that_is_gone_has_a_name", names::short_lived),
        test("names_come_when_the_engine_does", names::late_engine),
        test("inside_a_container", inside::own_interface),
        test("missing_capabilities_are_named", inside::missing),
        test("ci_job_that_is_infected", ci::infected),
        test("ci_job_that_is_clean", ci::clean),
        test("a_dead_makers_engine_is_removed", names::leftovers),
        test("compose_file", compose::services),
    ])
}

const DOCKER: &[Need] = &[
    Need::Root,
    Need::Netns,
    Need::Bpf,
    Need::BpfFs,
    Need::Docker,
];
