//! Where something is not as it should be, in words for people.

use std::fmt::{self, Display};

/// Steps of a path that are shown; of a longer one the last.
const STEPS_MAX: usize = 16;

/// Characters of a path and of a description that are shown. A peer's names may be long.
const CHARS_MAX: usize = 500;

/// How types or values differ, and where: `Pose.gain: the reader needs it, the writer does not have
/// it`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    path: String,
    what: String,
}

impl Difference {
    /// At the place to which `steps` lead from `root`.
    pub(super) fn new(root: &str, steps: &[Step<'_>], what: impl Display) -> Self {
        let left_out = steps.len().saturating_sub(STEPS_MAX);
        let dots = if left_out > 0 { "…" } else { "" };
        let mut path = format!("{}{dots}", root.escape_debug());
        for step in &steps[left_out..] {
            path.push_str(&step.to_string());
        }
        Self { path: shortened(path), what: shortened(what.to_string()) }
    }

    /// The place, as in `Pose.m[]`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is different there.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

impl std::error::Error for Difference {}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// One step of a path. Names come from peers and are escaped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'s> {
    /// To a field, a method or a variant.
    Name(&'s str),
    /// To a part that has a number only.
    Part(usize),
    /// To the elements of a list or array, or of a stream.
    Elements,
    /// To the keys of a map.
    Keys,
    /// To the values of a map.
    Values,
    /// To a parameter of a method.
    Parameter(&'s str),
    /// To the result of a method.
    Result,
}

impl Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, ".{}", name.escape_debug()),
            Self::Part(number) => write!(f, ".{number}"),
            Self::Elements => f.write_str("[]"),
            Self::Keys => f.write_str("{key}"),
            Self::Values => f.write_str("{value}"),
            Self::Parameter(name) => write!(f, "({})", name.escape_debug()),
            Self::Result => f.write_str("()"),
        }
    }
}
