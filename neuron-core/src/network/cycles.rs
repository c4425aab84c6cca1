//! Cycles of edges without a delay, found without recursion, so that a chain of any length fits.

use std::collections::{BTreeMap, VecDeque};

use crate::id::NeuronId;

/// Returns whether the graph has a cycle. `inputs` holds the inputs without a delay of each neuron.
///
/// This is the fast check for every network: it works on indices, because there may be a million
/// neurons and rarely is there a cycle. [`shortest_cycles`] finds out which ones there are.
pub(super) fn has_cycle(inputs: &[Box<[u32]>]) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Unvisited,
        /// On the path of the depth-first search: reaching it again closes a cycle.
        OnPath,
        /// Left by the search; no cycle goes through it.
        Done,
    }
    let mut marks = vec![Mark::Unvisited; inputs.len()];
    // The path of the search: each neuron with the number of its inputs that were followed.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in 0..inputs.len() {
        if marks[start] == Mark::Unvisited {
            marks[start] = Mark::OnPath;
            path.push((start, 0));
        }
        while let Some((at, followed)) = path.last_mut() {
            let Some(next) = inputs[*at].get(*followed) else {
                marks[*at] = Mark::Done;
                path.pop();
                continue;
            };
            *followed += 1;
            let next = *next as usize;
            match marks[next] {
                Mark::OnPath => return true,
                Mark::Done => {}
                Mark::Unvisited => {
                    marks[next] = Mark::OnPath;
                    path.push((next, 0));
                }
            }
        }
    }
    false
}

/// Returns one of the shortest cycles of each strongly connected component, as the path `h1`, `h2`,
/// `h1`; at most [`MAX_CYCLES`].
///
/// `inputs` holds the inputs without a delay of each neuron, without edges from a neuron to itself.
pub(super) fn shortest_cycles<'a>(inputs: &BTreeMap<&'a NeuronId, Vec<&'a NeuronId>>) -> Vec<Vec<&'a NeuronId>> {
    let mut left = inputs.clone();
    // A neuron without inputs, or without outputs, among those that are left is on no cycle.
    prune(&mut left);
    let mut outputs = reversed(&left);
    prune(&mut outputs);
    let candidates = reversed(&outputs);
    let mut found: Vec<Vec<&NeuronId>> = Vec::new();
    let mut seen: Vec<&NeuronId> = Vec::new();
    for start in candidates.keys() {
        if seen.contains(start) || found.len() == MAX_CYCLES {
            continue;
        }
        let next = |id: &NeuronId| outputs.get(id).into_iter().flatten().copied();
        let shortest = next(start).filter_map(|first| shortest_path(first, start, next)).min_by_key(Vec::len);
        if let Some(path) = shortest {
            seen.extend(&path);
            found.push([*start].into_iter().chain(path).collect());
        }
    }
    found
}

/// The most cycles that are reported: enough to repair a file, few enough to read.
const MAX_CYCLES: usize = 20;

/// Removes nodes without an edge to a node that is left, until there is none.
fn prune<'a>(edges: &mut BTreeMap<&'a NeuronId, Vec<&'a NeuronId>>) {
    let predecessors = reversed(edges);
    let mut degree: BTreeMap<&NeuronId, usize> = edges.iter().map(|(id, to)| (*id, to.len())).collect();
    let mut free: Vec<&NeuronId> = degree.iter().filter(|(_, degree)| **degree == 0).map(|(id, _)| *id).collect();
    while let Some(id) = free.pop() {
        edges.remove(id);
        for from in predecessors.get(id).into_iter().flatten() {
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

/// Returns the graph with every edge reversed.
fn reversed<'a>(edges: &BTreeMap<&'a NeuronId, Vec<&'a NeuronId>>) -> BTreeMap<&'a NeuronId, Vec<&'a NeuronId>> {
    let mut reversed: BTreeMap<&NeuronId, Vec<&NeuronId>> = edges.keys().map(|id| (*id, Vec::new())).collect();
    for (from, to) in edges {
        for to in to {
            reversed.entry(to).or_default().push(from);
        }
    }
    reversed
}

/// Returns the shortest path from one neuron to another, both ends included; `None` if there is
/// none.
///
/// `next` lists the neurons that an edge leads to.
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

    fn is_cyclic(inputs: &[&[u32]]) -> bool {
        has_cycle(&inputs.iter().map(|inputs| (*inputs).into()).collect::<Vec<_>>())
    }

    #[test]
    fn a_cycle_is_found_wherever_it_is() {
        assert!(!is_cyclic(&[]));
        assert!(!is_cyclic(&[&[2, 1], &[2], &[], &[0]]));
        assert!(is_cyclic(&[&[0]]));
        assert!(is_cyclic(&[&[], &[0, 3], &[1], &[2]]));
    }

    #[test]
    fn a_long_chain_is_followed_to_its_end() {
        let mut chain: Vec<Box<[u32]>> = (1..=100_000).map(|next| [next].into()).chain([[].into()]).collect();
        assert!(!has_cycle(&chain));
        chain[100_000] = [50_000].into();
        assert!(has_cycle(&chain));
    }
}
