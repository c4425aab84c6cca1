//! How far an inbox has read its streams, and what of that the server has to be told.

use std::collections::{HashMap, HashSet};

use tokio::{task::AbortHandle, time::Instant};

use super::entry_id::EntryId;

/// Where an inbox begins to read.
#[derive(Clone, Debug, Default)]
pub(crate) struct SavedPlace {
    /// The cursors that the server keeps for its address: the id of the last entry read, as text, by
    /// source. Sources are written as in [`Keys::source`](super::keys::Keys::source). Empty if no
    /// process has saved any.
    pub(super) cursors: HashMap<String, String>,
    /// The last entry that was there when they were loaded, by the server's clock.
    pub(super) now: EntryId,
}

/// How far an inbox has read its streams.
#[derive(Debug, Default)]
pub(super) struct ReadCursor {
    /// Messages are taken from the streams; what comes over the channel is ignored.
    pub(super) catching_up: bool,
    /// The streams of all known sources must be read before it has caught up.
    pub(super) must_read_all: bool,
    /// The sources whose streams are to be read: they have been subscribed to since their streams
    /// were read last, or their messages have come over the channel.
    pub(super) announced: HashSet<String>,
    /// Where reading begins in the stream of a source without a position.
    pub(super) begin: EntryId,
    /// The entry after the last one that was delivered, if that was delivered in part because the inbox
    /// was full, and how many of its frames were delivered; by source.
    pub(super) partial: HashMap<String, (EntryId, usize)>,
    /// The task that reads the streams, if there is one.
    pub(super) catch_up_task: Option<AbortHandle>,
    /// The id of the last entry that was delivered, by source.
    read: HashMap<String, EntryId>,
    /// The sources whose positions the server does not have, or has and should not.
    unsaved: HashSet<String>,
    /// When the server was last told of positions; `None` if never.
    saved: Option<Instant>,
}

impl ReadCursor {
    /// Creates a cursor for an inbox that goes on from a place of `read` positions, or begins at
    /// `begin`.
    pub(super) fn new(read: HashMap<String, EntryId>, begin: EntryId) -> Self {
        Self { read, begin, ..Self::default() }
    }

    /// Returns the id of the last entry of a source that was delivered; `None` if there was none.
    pub(super) fn position(&self, source: &str) -> Option<EntryId> {
        self.read.get(source).copied()
    }

    /// Returns the sources that it has positions of.
    pub(super) fn sources(&self) -> impl Iterator<Item = &String> {
        self.read.keys()
    }

    /// Moves the cursor of a source to an entry that was delivered.
    pub(super) fn advance(&mut self, source: String, id: EntryId) {
        self.partial.remove(&source);
        if !self.unsaved.contains(&source) {
            self.unsaved.insert(source.clone());
        }
        self.read.insert(source, id);
    }

    /// Forgets the positions of sources that `is_gone` says are of no use any more.
    pub(super) fn forget(&mut self, is_gone: impl Fn(&str, EntryId) -> bool) {
        let unsaved = &mut self.unsaved;
        self.read.retain(|source, id| {
            let stays = !is_gone(source, *id);
            if !stays {
                unsaved.insert(source.clone());
            }
            stays
        });
    }

    /// Returns how many frames of an entry were delivered before; 0 if it is new.
    pub(super) fn frames_delivered(&self, source: &str, id: EntryId) -> usize {
        self.partial.get(source).filter(|(partial, _)| *partial == id).map_or(0, |(_, frames)| *frames)
    }

    /// Returns whether there are positions to save, or the saved ones were last touched before
    /// `limit`.
    pub(super) fn must_save(&self, limit: Option<Instant>) -> bool {
        let is_old = |saved: Instant| limit.is_some_and(|limit| saved < limit);
        !self.unsaved.is_empty() || self.saved.is_none_or(is_old)
    }

    /// Returns what has changed since the last time, which counts as saved from now on: the sources,
    /// and their positions; `None` for those that were forgotten.
    pub(super) fn take_unsaved(&mut self, now: Instant) -> Vec<(String, Option<EntryId>)> {
        self.saved = Some(now);
        let with_position = |source: String| {
            let id = self.read.get(&source).copied();
            (source, id)
        };
        self.unsaved.drain().map(with_position).collect()
    }

    /// Notes that sources could not be saved after all.
    pub(super) fn set_unsaved(&mut self, sources: impl IntoIterator<Item = String>) {
        self.saved = None;
        self.unsaved.extend(sources);
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

    #[test]
    fn only_what_has_changed_is_saved() {
        let id = |millis| EntryId { millis, sequence: 0 };
        let now = Instant::now();
        let mut cursor = ReadCursor::new(HashMap::from([("sig:a".to_owned(), id(1))]), id(0));
        assert!(cursor.must_save(None), "the server does not know the inbox yet");
        assert_eq!(cursor.take_unsaved(now), []);
        assert!(!cursor.must_save(None) && !cursor.must_save(Some(now)));
        cursor.advance("ctl:me".to_owned(), id(5));
        cursor.advance("ctl:me".to_owned(), id(6));
        assert!(cursor.must_save(None));
        assert_eq!(cursor.take_unsaved(now), [("ctl:me".to_owned(), Some(id(6)))]);
        cursor.forget(|source, at| source.starts_with("ctl:") && at <= id(6));
        assert_eq!((cursor.position("ctl:me"), cursor.position("sig:a")), (None, Some(id(1))));
        let unsaved = cursor.take_unsaved(now);
        assert_eq!(unsaved, [("ctl:me".to_owned(), None)]);
        cursor.set_unsaved(unsaved.into_iter().map(|(source, _)| source));
        assert_eq!(cursor.take_unsaved(now).len(), 1);
        assert!(cursor.must_save(Some(now + std::time::Duration::from_secs(1))), "it is renewed before it expires");
    }
}
