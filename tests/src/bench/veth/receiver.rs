//! Each filter as its manual says.

use std::{
    fmt::Write as _,
    io::Write as _,
    os::fd::{AsFd as _, BorrowedFd},
    process::Stdio,
};

use anyhow::{Context as _, bail};
use trickblock::indicator::Indicator;

use super::{
    super::{
        pool::{List, Pool},
        programs::{Loaded, Programs},
        rivals::Rival,
        target::Target,
    },
    sink::{INTERFACE, Sink},
};
use crate::{bpf, sys};

/// Puts the sink's target on its interface, with the first addresses of the pool.
pub fn set_up(sink: &mut Sink, own: &Programs, pool: &Pool) -> anyhow::Result<()> {
    match sink.target {
        Target::BareDrop => attach(sink, own.own("bare_drop")?),
        Target::Trickblock => trickblock(sink, pool),
        Target::XdpFilter => xdp_filter(sink, pool),
        Target::NftHash => nft(sink, pool, ""),
        Target::NftInterval => nft(sink, pool, "flags interval"),
        Target::Ipset => ipset(sink, pool),
        _ => bail!("{} drops nothing", sink.target.name()),
    }
}

fn attach(sink: &mut Sink, program: BorrowedFd<'_>) -> anyhow::Result<()> {
    let program = program.try_clone_to_owned()?;
    let link = sink.netns.run(|| {
        let index = sys::interface_index(INTERFACE)?;
        bpf::attach_native(&program, index)
    })?;
    sink.link = Some(link?);
    Ok(())
}

fn trickblock(sink: &mut Sink, pool: &Pool) -> anyhow::Result<()> {
    let hosts = pool.hosts(sink.size).map(Indicator::host);
    let filter = Loaded::new(List::V4, hosts)?;
    attach(sink, filter.program())?;
    sink.filter = Some(filter);
    Ok(())
}

fn xdp_filter(sink: &mut Sink, pool: &Pool) -> anyhow::Result<()> {
    let rival = Rival::xdp_filter(pool, sink.size)?;
    attach(sink, rival.program()?.as_fd())?;
    sink.rival = Some(rival);
    Ok(())
}

/// A chain at netdev ingress. A frame that is listed by its destination, as all are here, ends after the
/// first lookup.
fn nft(sink: &Sink, pool: &Pool, flags: &str) -> anyhow::Result<()> {
    let (size, hosts) = (sink.size, listed(pool, sink.size, ","));
    let rules = format!(
        r#"table netdev bench {{
  set listed {{
    type ipv4_addr
    size {}
    {flags}
  }}
  chain ingress {{
    type filter hook ingress device "{INTERFACE}" priority 0; policy accept
    ip daddr @listed drop
    ip saddr @listed drop
  }}
}}
add element netdev bench listed {{ {hosts} }}
"#,
        2 * size
    );
    feed(sink, "nft", &["-f", "-"], &rules)
}

fn ipset(sink: &Sink, pool: &Pool) -> anyhow::Result<()> {
    let size = sink.size;
    let hash = size.next_power_of_two() / 2;
    let create = format!("create listed hash:ip family inet hashsize {hash} maxelem {size}");
    let hosts = listed(pool, size, "\nadd listed ");
    let script = format!("{create}\nadd listed {hosts}\n");
    feed(sink, "ipset", &["restore"], &script)?;
    let rule = "-t raw -A PREROUTING -m set --match-set listed dst -j DROP";
    let words: Vec<&str> = rule.split(' ').collect();
    feed(sink, "iptables", &words, "")
}

fn listed(pool: &Pool, size: usize, between: &str) -> String {
    let mut text = String::new();
    for (index, host) in pool.hosts(size).enumerate() {
        let between = if index == 0 { "" } else { between };
        // Writing to a string cannot fail.
        let _ = write!(text, "{between}{host}");
    }
    text
}

/// Runs a program in the sink's namespace with this input.
fn feed(sink: &Sink, program: &str, arguments: &[&str], input: &str) -> anyhow::Result<()> {
    let mut command = sink.command(program)?;
    command.args(arguments).stdin(Stdio::piped());
    let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start `{program}`"))?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    // One that ends early says why on its standard error.
    let _broken_pipe = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        let line: String = error
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect();
        bail!(
            "`{program} {}`: {}, {line}",
            arguments.join(" "),
            output.status
        );
    }
    Ok(())
}
