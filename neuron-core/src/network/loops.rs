//! Loops without a delay, found without recursion, so that a chain of any length fits.

use std::collections::{BTreeMap, VecDeque};

use crate::id::NeuronId;

/// Whether anybody waits for itself, however indirectly. Neurons are numbers here: there may be a million, and hardly ever is there
/// a loop to be told of.
///
/// `inputs` gives each neuron's inputs without delay.
pub(crate) fn has_loop(inputs: &[Box<[u32]>]) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Not,
        /// On the way that is being followed,
        Here,
        /// or before; no loop leads there.
        Before,
    }
    let mut seen = vec![Seen::Not; inputs.len()];
    // The neurons on the way, each with how many of its inputs have been followed.
    let mut way: Vec<(usize, usize)> = Vec::new();
    for start in 0..inputs.len() {
        if seen[start] == Seen::Not {
            seen[start] = Seen::Here;
            way.push((start, 0));
        }
        while let Some((at, followed)) = way.last_mut() {
            let Some(next) = inputs[*at].get(*followed) else {
                seen[*at] = Seen::Before;
                way.pop();
                continue;
            };
            *followed += 1;
            let next = *next as usize;
            match seen[next] {
                Seen::Here => return true,
                Seen::Before => {}
                Seen::Not => {
                    seen[next] = Seen::Here;
                    way.push((next, 0));
                }
            }
        }
    }
    false
}

/// For each knot of neurons that wait for each other, one of its shortest loops, spelled out: `h1`, `h2`, `h1`.
///
/// `inputs` gives each neuron's inputs without delay.
pub(crate) fn loops<'a>(inputs: &BTreeMap<&'a NeuronId, Vec<&'a NeuronId>>) -> Vec<Vec<&'a NeuronId>> {
    let mut left = inputs.clone();
    // What has no input that is left, or feeds nobody that is left, is on no loop.
    prune(&mut left);
    let mut turned = turn(&left);
    prune(&mut turned);
    let knots = turn(&turned);
    let mut found: Vec<Vec<&NeuronId>> = Vec::new();
    let mut seen: Vec<&NeuronId> = Vec::new();
    for start in knots.keys() {
        if seen.contains(start) || found.len() == MAX_LOOPS {
            continue;
        }
        let outputs = |id: &NeuronId| turned.get(id).into_iter().flatten().copied();
        let around = outputs(start).filter_map(|next| shortest_path(next, start, outputs)).min_by_key(Vec::len);
        if let Some(path) = around {
            seen.extend(&path);
            found.push([*start].into_iter().chain(path).collect());
        }
    }
    found
}

/// The most loops that are spelled out.
const MAX_LOOPS: usize = 20;

/// Removes, again and again, whoever has no edge to somebody that is left.
fn prune<'a>(edges: &mut BTreeMap<&'a NeuronId, Vec<&'a NeuronId>>) {
    let turned = turn(edges);
    let mut degree: BTreeMap<&NeuronId, usize> = edges.iter().map(|(id, to)| (*id, to.len())).collect();
    let mut free: Vec<&NeuronId> = degree.iter().filter(|(_, degree)| **degree == 0).map(|(id, _)| *id).collect();
    while let Some(id) = free.pop() {
        edges.remove(id);
        for from in turned.get(id).into_iter().flatten() {
            if let Some(degree) = degree.get_mut(from) {
                *degree -= 1;
                if *degree == 0 {
                    free.push(from);
                }
            }
        }
    }
    let left: Vec<&NeuronId> = edges.keys().copied().collect();
    for to in edges.values_mut() {
        to.retain(|id| left.binary_search(id).is_ok());
    }
}

fn turn<'a>(edges: &BTreeMap<&'a NeuronId, Vec<&'a NeuronId>>) -> BTreeMap<&'a NeuronId, Vec<&'a NeuronId>> {
    let mut turned: BTreeMap<&NeuronId, Vec<&NeuronId>> = edges.keys().map(|id| (*id, Vec::new())).collect();
    for (from, to) in edges {
        for to in to {
            turned.entry(to).or_default().push(from);
        }
    }
    turned
}

/// The shortest path from one neuron to another, both ends included.
pub(crate) fn shortest_path<'a, I: Iterator<Item = &'a NeuronId>>(
    from: &'a NeuronId,
    to: &NeuronId,
    next: impl Fn(&'a NeuronId) -> I,
) -> Option<Vec<&'a NeuronId>> {
    let mut came_from: BTreeMap<&NeuronId, Option<&'a NeuronId>> = BTreeMap::from([(from, None)]);
    let mut queue = VecDeque::from([from]);
    while let Some(id) = queue.pop_front() {
        if id == to {
            let mut path = vec![id];
            let mut at = id;
            while let Some(Some(before)) = came_from.get(at) {
                path.push(before);
                at = before;
            }
            path.reverse();
            return Some(path);
        }
        for other in next(id) {
            came_from.entry(other).or_insert_with(|| {
                queue.push_back(other);
                Some(id)
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loops_in(inputs: &[&[u32]]) -> bool {
        has_loop(&inputs.iter().map(|inputs| (*inputs).into()).collect::<Vec<_>>())
    }

    #[test]
    fn a_loop_is_found_wherever_it_is() {
        assert!(!loops_in(&[]));
        assert!(!loops_in(&[&[2, 1], &[2], &[], &[0]]));
        assert!(loops_in(&[&[0]]));
        assert!(loops_in(&[&[], &[0, 3], &[1], &[2]]));
    }

    #[test]
    fn a_long_chain_is_followed_to_its_end() {
        let mut chain: Vec<Box<[u32]>> = (1..=100_000).map(|next| [next].into()).chain([[].into()]).collect();
        assert!(!has_loop(&chain));
        chain[100_000] = [50_000].into();
        assert!(has_loop(&chain));
    }
}
