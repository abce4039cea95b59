//! Which numbers hold all values of which others.

use crate::schema::Type;

/// What a number can hold.
enum Range {
    Unsigned(u32),
    Signed(u32),
    /// Integers of so many bits without loss, sign not counted.
    Float(u32),
}

const fn range(ty: &Type) -> Option<Range> {
    Some(match ty {
        Type::U8 => Range::Unsigned(8),
        Type::U16 => Range::Unsigned(16),
        Type::U32 => Range::Unsigned(32),
        Type::U64 => Range::Unsigned(64),
        Type::U128 => Range::Unsigned(128),
        Type::I8 => Range::Signed(8),
        Type::I16 => Range::Signed(16),
        Type::I32 => Range::Signed(32),
        Type::I64 => Range::Signed(64),
        Type::I128 => Range::Signed(128),
        Type::F32 => Range::Float(24),
        Type::F64 => Range::Float(53),
        _ => return None,
    })
}

/// Whether both are numbers, and `to` holds every value of `from`.
pub(super) const fn widens(from: &Type, to: &Type) -> bool {
    let (Some(from), Some(to)) = (range(from), range(to)) else { return false };
    match (from, to) {
        (Range::Unsigned(from), Range::Unsigned(to))
        | (Range::Signed(from), Range::Signed(to))
        | (Range::Float(from), Range::Float(to)) => from <= to,
        (Range::Unsigned(from), Range::Signed(to)) => from < to,
        (Range::Unsigned(from) | Range::Signed(from), Range::Float(to)) => from <= to,
        (Range::Signed(_), Range::Unsigned(_))
        | (Range::Float(_), Range::Unsigned(_) | Range::Signed(_)) => false,
    }
}
