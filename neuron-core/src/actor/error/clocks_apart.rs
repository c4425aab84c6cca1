//! How the error reads that tells of clocks that are apart.

use std::time::Duration;

use crate::{
    id::NeuronId,
    tag::{Tag, Time},
};

/// Returns why the member that is `ahead` takes no tag that the one `behind` takes, and what to do.
/// Each is given with its limit, and what its clock showed.
pub(super) fn clocks_apart(ahead: (&NeuronId, Tag, Time), behind: (&NeuronId, Tag, Time)) -> String {
    let (ahead, floor, ahead_clock) = ahead;
    let (behind, latest, behind_clock) = behind;
    let (ahead_shows, behind_shows) = (ahead_clock.to_utc(), behind_clock.to_utc());
    if ahead_clock.since(behind_clock) > APART {
        return format!(
            "{behind} and {ahead} find no common tag: the clock of {ahead} shows {ahead_shows} (UTC), that of {behind} \
             {behind_shows}. If that of {ahead} is right, set the other one. If it is ahead, set it back, and start its \
             host again"
        );
    }
    format!(
        "{ahead} takes no tag before {} (UTC), although its clock shows {ahead_shows}: it has spoken of that time \
         before, when a clock was ahead. {behind} takes none after {}. Start the host of {ahead} again, or wait",
        floor.to_utc(),
        latest.to_utc()
    )
}

/// Clocks that differ by no more are not what keeps members from a common tag.
const APART: Duration = Duration::from_secs(3600);
