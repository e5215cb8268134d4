//! What protects the counts and the screens. Each protection can be taken away, so that everybody can see the simulation
//! find what it protects from.

/// Something that keeps the counts exact, or the screens right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Protection {
    /// Redelivered events are skipped because the row knows how far each partition was folded in.
    Watermark,
    /// The row knows when the event of its mark was enqueued, which tells a hub that was made again from a second delivery.
    EnqueuedTime,
    /// The row remembers how far the hub before was folded in: deliveries from there may still be under way.
    EarlierStream,
    /// A write whose answer was lost is found again by the id of its invocation.
    WriteId,
    /// A row is written only if it is still what was read.
    Etag,
    /// A rejected reading's key is made of its position, so that it is kept once.
    RejectionKey,
    /// "Counted" or "rejected" is decided once, in the write of the row, and read from it when the reading comes again.
    Verdict,
    /// A screen shows no state that is older than the one it shows.
    ScreenVersion,
    /// A screen that may have missed something asks what changed meanwhile.
    CatchUp,
    /// A cursor is never ahead of what was read.
    CursorMoment,
    /// A screen that follows an area takes note of the devices that have left it.
    Elsewhere,
    /// A screen asks the store once more when every handler knows that somebody follows a group.
    GroupSettling,
    /// Those who follow an area are told which devices have left it.
    LeftArea,
}

impl Protection {
    /// All of them.
    pub const ALL: [Protection; 13] = [
        Protection::Watermark,
        Protection::EnqueuedTime,
        Protection::EarlierStream,
        Protection::WriteId,
        Protection::Etag,
        Protection::RejectionKey,
        Protection::Verdict,
        Protection::ScreenVersion,
        Protection::CatchUp,
        Protection::CursorMoment,
        Protection::Elsewhere,
        Protection::GroupSettling,
        Protection::LeftArea,
    ];

    /// Whether it is seen at the seam to the store.
    pub(crate) fn is_of_the_store(self) -> bool {
        use Protection::{
            CursorMoment, EarlierStream, EnqueuedTime, Etag, RejectionKey, Verdict, Watermark, WriteId,
        };
        matches!(
            self,
            Watermark | EnqueuedTime | EarlierStream | WriteId | Etag | RejectionKey | Verdict | CursorMoment
        )
    }
}
