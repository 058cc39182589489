//! `packaging/docker/compose.yaml`, read as Compose reads it and started by plain `docker run`: the
//! tests cannot count on Compose.

use std::fs;

use trickblock_tests::{
    docker::{self, BENIGN, C2, World, packaging},
    gateway::wait_for,
};
use yaml_rust2::{Yaml, YamlLoader};

pub fn services() {
    let world = World::new().unwrap();
    docker::trickblock(&world.engine).unwrap();
    let dir = world.engine.dir().join("compose");
    fs::create_dir(&dir).unwrap();
    fs::copy(
        packaging().join("trickblock.toml"),
        dir.join("trickblock.toml"),
    )
    .unwrap();
    fs::write(dir.join("c2.txt"), format!("{C2}\n")).unwrap();
    let text = fs::read_to_string(packaging().join("compose.yaml")).unwrap();
    let text = text.replace(
        "/var/run/docker.sock:",
        &format!("{}:", world.engine.socket().display()),
    );
    let text = text.replace("- ./", &format!("- {}/", dir.display()));
    // A filter of this test must not meet one of the machine's.
    let text = text.replace("- /sys/fs/bpf:/sys/fs/bpf", "- bpf:/sys/fs/bpf");
    let volume = [
        "volume",
        "create",
        "--opt=type=bpf",
        "--opt=device=bpf",
        "bpf",
    ];
    world.engine.done(&volume).unwrap();
    let file = &YamlLoader::load_from_str(&text).unwrap()[0];

    for (name, network) in pairs(&file["networks"]) {
        let options = pairs(&network["driver_opts"]);
        let options =
            options.map(|(key, value)| format!("--opt={key}={}", value.as_str().unwrap()));
        let mut words = vec!["network".to_owned(), "create".to_owned()];
        words.push("--subnet=10.79.0.0/24".to_owned());
        words.extend(options);
        words.push(name.to_owned());
        done(&world, &words);
    }
    for (name, service) in pairs(&file["services"]) {
        let mut words: Vec<String> = ["run", "--detach", "--name", name]
            .map(str::to_owned)
            .into();
        words.extend(arguments(service));
        done(&world, &words);
        if name == "trickblock" {
            wait_for_filter(&world);
        }
    }

    assert!(world.reaches("app", BENIGN).unwrap());
    assert!(!world.reaches("app", C2).unwrap());
    let seen = ["exec", "trickblock", "/usr/bin/trickblock", "contacts"];
    let seen = world.engine.docker(&seen).unwrap();
    assert_eq!(seen.code, Some(5), "{seen:?}");
    assert!(seen.stdout.contains(" app "), "{seen:?}");
}

fn done(world: &World, words: &[String]) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    world.engine.done(&words).unwrap();
}

fn wait_for_filter(world: &World) {
    let status = ["exec", "trickblock", "/usr/bin/trickblock", "status"];
    let active = || Ok((world.engine.docker(&status)?.code == Some(0)).then_some(()));
    if let Err(error) = wait_for("the filter", active) {
        panic!(
            "{error}: {:?}",
            world.engine.docker(&["logs", "trickblock"])
        );
    }
}

fn pairs(map: &Yaml) -> impl Iterator<Item = (&str, &Yaml)> {
    let map = map.as_hash().unwrap();
    map.iter()
        .map(|(key, value)| (key.as_str().unwrap(), value))
}

/// A service as what follows `docker run --name …`. A key that is not known here fails.
fn arguments(service: &Yaml) -> Vec<String> {
    let mut options = Vec::new();
    let texts = |list: &Yaml| -> Vec<String> {
        let items = list.as_vec().unwrap().iter();
        items
            .map(|item| item.as_str().unwrap().to_owned())
            .collect()
    };
    for (key, value) in pairs(service) {
        let flag = match key {
            "image" | "command" | "depends_on" => continue,
            "restart" => {
                options.push(format!("--restart={}", value.as_str().unwrap()));
                continue;
            }
            "network_mode" => {
                options.push(format!("--network={}", value.as_str().unwrap()));
                continue;
            }
            "networks" => "network",
            "cap_add" => "cap-add",
            "security_opt" => "security-opt",
            "volumes" => "volume",
            other => panic!("`{other}` is not translated"),
        };
        options.extend(
            texts(value)
                .into_iter()
                .map(|text| format!("--{flag}={text}")),
        );
    }
    options.push(service["image"].as_str().unwrap().to_owned());
    options.extend(texts(&service["command"]));
    options
}
