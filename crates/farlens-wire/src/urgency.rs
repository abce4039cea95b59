//! Which of several streams goes first.

/// How soon the elements of a stream go out while those of others wait, too: a class from 0, the
/// most urgent, to 7.
///
/// Classes are those of RFC 9218. A class has its turn when none above it has elements; within one
/// streams take turns, and one part in sixteen is left to the classes below. Calls, their answers
/// and all that has no elements go before any of them.
///
/// ```
/// use farlens_wire::Urgency;
///
/// assert_eq!(Urgency::default(), Urgency::new(5).unwrap());
/// assert!(Urgency::MOST < Urgency::BACKGROUND);
/// assert_eq!(Urgency::new(8), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Urgency(u8);

impl Urgency {
    /// Before all others.
    pub const MOST: Self = Self(0);
    /// Somebody waits for each piece, as for places that are read.
    pub const INTERACTIVE: Self = Self(3);
    /// What a stream has that says nothing, with room for what is more and what is less urgent.
    pub const USUAL: Self = Self(5);
    /// Nobody is there who would wait, and it must not disturb anything else.
    pub const BACKGROUND: Self = Self(7);

    /// The class with this number, of 0 to 7.
    #[must_use]
    pub const fn new(class: u8) -> Option<Self> {
        if class <= Self::BACKGROUND.0 { Some(Self(class)) } else { None }
    }

    /// The number of the class.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// So many classes above, or the first.
    #[must_use]
    pub const fn sooner(self, classes: u8) -> Self {
        Self(self.0.saturating_sub(classes))
    }
}

impl Default for Urgency {
    fn default() -> Self {
        Self::USUAL
    }
}
