//! Lines in another order than that of the index. As many are held as are
//! answered with, however many there are.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use super::lines::Line;
use super::query::Query;
use crate::time::Timestamp14;

type Lines = Box<dyn Iterator<Item = io::Result<Line>>>;

/// The last lines that a query wants, the last first.
pub fn reversed(lines: impl Iterator<Item = io::Result<Line>>, query: &Query) -> io::Result<Lines> {
    let most = query.most();
    let mut last = VecDeque::new();
    for line in wanted(lines, query) {
        last.push_front(line?);
        last.truncate(most);
    }
    Ok(Box::new(last.into_iter().map(Ok)))
}

/// The lines nearest to a time that a query wants, the nearest first; of two
/// that are as near, the first in the index.
pub fn closest(
    lines: impl Iterator<Item = io::Result<Line>>,
    time: Timestamp14,
    query: &Query,
) -> io::Result<Lines> {
    let most = query.most();
    let mut nearest = BTreeMap::new();
    for (order, line) in wanted(lines, query).enumerate() {
        let line = line?;
        // What has no time is as far away as can be.
        let distance = line.time().map(|at| at.distance(time));
        nearest.insert((distance.is_none(), distance, order), line);
        if nearest.len() > most {
            nearest.pop_last();
        }
    }
    Ok(Box::new(nearest.into_values().map(Ok)))
}

fn wanted(
    lines: impl Iterator<Item = io::Result<Line>>,
    query: &Query,
) -> impl Iterator<Item = io::Result<Line>> {
    let mut collapse = query.collapse.clone();
    lines.filter(move |line| match line {
        Ok(line) => query.wants(line) && Query::are_first(&mut collapse, line),
        Err(_) => true,
    })
}
