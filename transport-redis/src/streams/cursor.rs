//! How far an inbox has read its streams.

use std::collections::{HashMap, HashSet};

use tokio::task::AbortHandle;

use super::entry_id::EntryId;

/// The cursors that the server keeps for an address: the id of the last entry read, as text, by
/// source. Sources are written as in [`Keys::member`](super::keys::Keys::member).
pub(crate) type SavedCursors = HashMap<String, String>;

/// How far an inbox has read its streams.
#[derive(Debug, Default)]
pub(super) struct ReadCursor {
    /// Messages are taken from the streams; what comes over the channel is ignored.
    pub(super) catching_up: bool,
    /// The set of sources must be read before it has caught up: there may be streams that it does
    /// not know of.
    pub(super) must_scan: bool,
    /// The sources whose messages have come over the channel since their streams were read last.
    pub(super) announced: HashSet<String>,
    /// The id of the last entry that was delivered, by source.
    pub(super) read: HashMap<String, EntryId>,
    /// The entry after that, if it was delivered in part because the inbox was full, and how many
    /// of its frames were delivered; by source.
    pub(super) partial: HashMap<String, (EntryId, usize)>,
    /// The server has an older cursor than this.
    pub(super) is_unsaved: bool,
    /// The task that reads the streams, if there is one.
    pub(super) catch_up_task: Option<AbortHandle>,
}

impl ReadCursor {
    /// Moves the cursor of a source to an entry that was delivered.
    pub(super) fn advance(&mut self, source: String, id: EntryId) {
        self.partial.remove(&source);
        self.read.insert(source, id);
        self.is_unsaved = true;
    }

    /// Returns how many frames of an entry were delivered before; 0 if it is new.
    pub(super) fn frames_delivered(&self, source: &str, id: EntryId) -> usize {
        self.partial.get(source).filter(|(partial, _)| *partial == id).map_or(0, |(_, frames)| *frames)
    }

    /// Stops the task that reads the streams.
    pub(super) fn stop(self) {
        if let Some(task) = self.catch_up_task {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_delivery_is_forgotten_once_its_entry_is_read_and_not_before() {
        let id = |millis, sequence| EntryId { millis, sequence };
        let mut cursor = ReadCursor::default();
        cursor.partial.insert("sig:a".to_owned(), (id(7, 0), 3));
        cursor.partial.insert("sig:b".to_owned(), (id(8, 1), 5));
        cursor.advance("sig:b".to_owned(), id(8, 1));
        assert_eq!((cursor.frames_delivered("sig:a", id(7, 0)), cursor.frames_delivered("sig:b", id(8, 1))), (3, 0));
        // Another message of that source has another id.
        assert_eq!((cursor.frames_delivered("sig:a", id(7, 1)), cursor.frames_delivered("sig:c", id(7, 0))), (0, 0));
        cursor.advance("sig:a".to_owned(), id(7, 0));
        assert_eq!(cursor.frames_delivered("sig:a", id(7, 0)), 0);
    }
}
