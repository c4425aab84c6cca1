//! Containers that take little memory while they are empty or hold one item: a network at rest has
//! millions of them. Also how what is bounded is shared out.

mod holders;
mod optional_f64;
mod small_queue;

pub(crate) use holders::Holders;
pub(crate) use optional_f64::OptionalF64;
pub(crate) use small_queue::SmallQueue;

use thin_vec::ThinVec;

/// Inserts an item at an index and keeps little spare capacity.
///
/// Most neurons have few inputs and subscribers, and there may be a million neurons.
pub(crate) fn insert_tightly<T>(items: &mut ThinVec<T>, index: usize, item: T) {
    if items.len() == items.capacity() {
        items.reserve_exact(1 + items.len() / 4);
    }
    items.insert(index, item);
}
