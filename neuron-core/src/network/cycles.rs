//! Cycles of edges without a delay, found without recursion, so that a chain of any length fits.

#[cfg(feature = "actor")]
use std::collections::BTreeMap;
use std::collections::{HashMap, VecDeque};

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

/// The cycles of a graph that are reported.
pub(super) struct Cycles {
    /// Each cycle as the path `h1`, `h2`, `h1`: from a neuron over its output back to it.
    pub(super) paths: Vec<Vec<u32>>,
    /// Whether there are neurons on cycles that none of the paths goes through.
    pub(super) has_more: bool,
}

/// Returns one of the shortest cycles through the first neuron that is on any, then through the
/// first one that no path so far goes through, and so on; at most [`MAX_CYCLES`].
///
/// `inputs` holds the inputs without a delay of each neuron. Edges from a neuron to itself are
/// passed over. The time is linear: each search stays in one component, where it finds a cycle.
pub(super) fn shortest_cycles(inputs: &[Box<[u32]>]) -> Cycles {
    let components = components(inputs);
    let mut sizes = vec![0_usize; inputs.len()];
    for component in &components {
        sizes[*component as usize] += 1;
    }
    let mut is_covered = vec![false; inputs.len()];
    let mut paths = Vec::new();
    for start in 0..inputs.len() {
        if is_covered[start] || sizes[components[start] as usize] < 2 {
            continue;
        }
        if paths.len() == MAX_CYCLES {
            return Cycles { paths, has_more: true };
        }
        let path = shortest_cycle(inputs, &components, start as u32);
        for neuron in &path {
            is_covered[*neuron as usize] = true;
        }
        paths.push(path);
    }
    Cycles { paths, has_more: false }
}

/// The most cycles that are reported: enough to repair a file, few enough to read.
const MAX_CYCLES: usize = 20;

/// Returns for each neuron the number of its strongly connected component, which is the index of one
/// of its neurons.
///
/// Tarjan's algorithm, with a path in place of recursion.
fn components(inputs: &[Box<[u32]>]) -> Vec<u32> {
    const UNVISITED: u32 = u32::MAX;
    let mut component = vec![UNVISITED; inputs.len()];
    // When the search reached each neuron, and the earliest neuron known to be reachable from it
    // that is in no finished component.
    let mut order = vec![UNVISITED; inputs.len()];
    let mut earliest = vec![UNVISITED; inputs.len()];
    let mut next_order = 0;
    let mut unassigned: Vec<u32> = Vec::new();
    // The path of the search: each neuron with the number of its inputs that were followed.
    let mut path: Vec<(u32, usize)> = Vec::new();
    for start in 0..inputs.len() as u32 {
        if order[start as usize] == UNVISITED {
            path.push((start, 0));
        }
        while let Some((at, followed)) = path.last_mut() {
            let index = *at as usize;
            if *followed == 0 {
                order[index] = next_order;
                earliest[index] = next_order;
                next_order += 1;
                unassigned.push(*at);
            }
            let next = inputs[index].get(*followed).copied();
            *followed += 1;
            if let Some(next) = next {
                if order[next as usize] == UNVISITED {
                    path.push((next, 0));
                } else if component[next as usize] == UNVISITED {
                    earliest[index] = earliest[index].min(order[next as usize]);
                }
                continue;
            }
            path.pop();
            if let Some((before, _)) = path.last() {
                earliest[*before as usize] = earliest[*before as usize].min(earliest[index]);
            }
            if earliest[index] == order[index] {
                while let Some(member) = unassigned.pop() {
                    component[member as usize] = index as u32;
                    if member as usize == index {
                        break;
                    }
                }
            }
        }
    }
    component
}

/// Returns one of the shortest cycles through a neuron that shares its component with another.
fn shortest_cycle(inputs: &[Box<[u32]>], components: &[u32], start: u32) -> Vec<u32> {
    // The output over which the search, which follows inputs, came to each neuron.
    let mut output: HashMap<u32, u32> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for next in inputs[at as usize].iter().copied().filter(|next| *next != at) {
            if components[next as usize] == components[start as usize] && !output.contains_key(&next) {
                output.insert(next, at);
                queue.push_back(next);
            }
        }
        if output.contains_key(&start) {
            break;
        }
    }
    let mut path = vec![start];
    let mut at = start;
    while let Some(next) = output.get(&at) {
        path.push(*next);
        at = *next;
        if at == start {
            break;
        }
    }
    path
}

/// Returns the names along a cycle, `a → b → c → a`. Of a long one it has the first and the last
/// ones, and says how many neurons it goes through.
pub(crate) fn spell_cycle<'a>(path: impl ExactSizeIterator<Item = &'a NeuronId>) -> String {
    let length = path.len();
    let omitted = if length > MAX_SPELLED { ENDS..length - ENDS } else { 0..0 };
    let mut spelled: Vec<&str> = Vec::with_capacity(MAX_SPELLED);
    for (index, id) in path.enumerate() {
        if index == omitted.start && !omitted.is_empty() {
            spelled.push("…");
        }
        if !omitted.contains(&index) {
            spelled.push(id.as_str());
        }
    }
    let spelled = spelled.join(" → ");
    if omitted.is_empty() { spelled } else { format!("{spelled} ({} neurons)", length - 1) }
}

/// The longest path that is spelled out: it fits on a few lines of a terminal.
const MAX_SPELLED: usize = 24;

/// How many names of a longer path are spelled out at each end.
const ENDS: usize = 5;

/// Returns the shortest path from one neuron to another, both ends included; `None` if there is
/// none.
///
/// `next` lists the neurons that an edge leads to.
#[cfg(feature = "actor")]
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
