//! What is timed: every program on every corpus, with a list of every size.

use std::rc::Rc;

use anyhow::Context as _;

use super::{
    corpus::Corpus,
    lookup::Field,
    pool::{Family, Pool},
    programs::Loaded,
    rivals::Rival,
    row::Row,
    target::{Method, Target},
};

/// A program.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// One of the benchmark's own.
    Own,
    Filter(&'a Loaded),
    Rival(&'a Rival),
}

/// One program on one corpus.
pub struct Cell<'a> {
    pub subject: Subject<'a>,
    pub target: Target,
    pub corpus: Corpus,
    /// Of the lists that this is the same for.
    pub sizes: Vec<usize>,
    pub pairs: Rc<[u64]>,
    /// Per round.
    pub packets: u32,
    /// ns per packet, one per round.
    pub samples: Vec<f64>,
}

const LOOKING_UP: [Target; 4] = [
    Target::Trickblock,
    Target::KernelHash,
    Target::KernelLpm,
    Target::XdpFilter,
];

/// All cells, and the rows of those that cannot be.
pub fn cells<'a>(field: &Field<'a>) -> anyhow::Result<(Vec<Cell<'a>>, Vec<Row>)> {
    let (mut cells, mut rows) = (Vec::new(), Vec::new());
    for corpus in field.corpora {
        let pool = field.pools.iter().find(|pool| pool.list == corpus.list());
        let pool = pool.context("no addresses of a list")?;
        let largest = pool.addresses.len();
        let sizes = field.sizes.iter().copied();
        let sizes: Vec<usize> = sizes.filter(|size| *size <= largest).collect();
        let groups: Vec<Vec<usize>> = match corpus.depends_on_size() {
            true => sizes.iter().map(|size| vec![*size]).collect(),
            false => vec![sizes],
        };
        for group in groups {
            add_group(field, pool, *corpus, &group, (&mut cells, &mut rows));
        }
    }
    Ok((cells, rows))
}

/// Cells of one set of packets, for lists of some sizes.
fn add_group<'a>(
    field: &Field<'a>,
    pool: &Pool,
    corpus: Corpus,
    sizes: &[usize],
    (cells, rows): (&mut Vec<Cell<'a>>, &mut Vec<Row>),
) {
    let size = sizes.first().copied().unwrap_or(1);
    let pairs: Rc<[u64]> = corpus.pairs(pool, size).into();
    let mut add = |subject, target, sizes: &[usize]| {
        cells.push(Cell {
            subject,
            target,
            corpus,
            sizes: sizes.to_vec(),
            pairs: Rc::clone(&pairs),
            packets: 0,
            samples: Vec::new(),
        });
    };
    add(Subject::Own, Target::BarePass, sizes);
    add(Subject::Own, Target::ParsePass, sizes);
    if corpus == Corpus::Hit {
        add(Subject::Own, Target::BareDrop, sizes);
    }
    for target in LOOKING_UP {
        for size in sizes {
            match find(field, target, corpus, *size) {
                Ok(subject) => add(subject, target, &[*size]),
                Err(why) => rows.push(Row::missing(Method::TestRun, (target, corpus, *size), why)),
            }
        }
    }
}

/// The program, or why there is none.
fn find<'a>(
    field: &Field<'a>,
    target: Target,
    corpus: Corpus,
    size: usize,
) -> Result<Subject<'a>, String> {
    let list = corpus.list();
    let found = match target {
        Target::Trickblock => {
            let mut filters = field.filters.iter();
            filters
                .find(|one| one.list == list && one.size == size)
                .map(Subject::Filter)
        }
        _ => {
            let mut rivals = field.rivals.iter();
            rivals
                .find(|one| one.target == target && one.list == list && one.size == size)
                .map(Subject::Rival)
        }
    };
    found.ok_or_else(|| why_missing(field, target, corpus, size))
}

fn why_missing(field: &Field<'_>, target: Target, corpus: Corpus, size: usize) -> String {
    if size > target.most() {
        return target.cannot();
    }
    let mut known = field.missing.iter();
    let known = known.find(|(one, count, _)| *one == target && *count == size);
    if let Some((_, _, why)) = known {
        return why.clone();
    }
    match (target, corpus.family()) {
        (Target::KernelHash | Target::KernelLpm, Family::V6) => "IPv4 only".to_owned(),
        _ => "not measured".to_owned(),
    }
}
