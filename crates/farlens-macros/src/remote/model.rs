//! What a remote trait is, once everything in it is known to be possible.

use syn::{Attribute, Block, Ident, Type, TypeImplTrait, Visibility};

/// A trait whose methods can be called from afar.
pub(super) struct Interface {
    /// As they stand on the trait.
    pub(super) attributes: Vec<Attribute>,
    pub(super) visibility: Visibility,
    pub(super) name: Ident,
    pub(super) methods: Vec<Method>,
}

/// A method that can be called from afar.
pub(super) struct Method {
    /// As they stand on the method, without our own.
    pub(super) attributes: Vec<Attribute>,
    pub(super) name: Ident,
    pub(super) parameters: Vec<Parameter>,
    pub(super) answer: Answer,
    /// What an implementation has that does not say otherwise.
    pub(super) default: Option<Block>,
}

pub(super) struct Parameter {
    pub(super) name: Ident,
    pub(super) passed: Passed,
}

/// How a parameter travels.
pub(super) enum Passed {
    Value(Type),
    Stream(Stream),
    /// A `ByteStream` or an `EntityStream`.
    Opened(Type),
}

/// What a method answers with.
pub(super) enum Answer {
    /// A result, which is awaited.
    Value(Type),
    /// A result, which says only whether the call was handed over.
    OneWay(Type),
    Stream(Stream),
}

/// An `impl Stream`.
pub(super) struct Stream {
    /// With all the bounds that it needs.
    pub(super) declared: TypeImplTrait,
    /// What it is a stream of.
    pub(super) item: Type,
}
