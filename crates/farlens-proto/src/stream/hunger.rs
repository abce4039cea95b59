//! What a stream wants to ask its source for.

/// What a stream wants to ask its source for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hunger {
    /// Nothing, or an answer is awaited.
    #[default]
    None,
    /// Elements, which take room in the queue of the link.
    Elements,
    /// Something that takes no room: a change, or what the data is like.
    Other,
}
