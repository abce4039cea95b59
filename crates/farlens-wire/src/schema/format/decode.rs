//! Reading documents, which may be a peer's.

use super::{ARRAY, ENTITY_STREAM, LEAVES, LIST, MAP, NAMED, OPTION, TUPLE, VERSION};
use crate::entity::repeats;
use crate::read::Reader;
use crate::schema::{
    Definition, Field, Fields, Interface, Method, SchemaDoc, Shape, Type, Variant,
};
use crate::{Budget, DecodeError};
use std::mem::size_of;

impl SchemaDoc {
    /// Decodes a document that takes up all of `bytes`.
    ///
    /// # Errors
    /// What [`DecodeError`] lists: also for names that occur twice, and
    /// [`DecodeError::BadTag`] for a reference to a definition that does not exist.
    pub fn decode(bytes: &[u8], budget: &mut Budget) -> Result<Self, DecodeError> {
        let mut source = Source { input: Reader::new(bytes), budget, named: 0 };
        if source.input.byte()? != VERSION {
            return Err(DecodeError::BadTag);
        }
        let root = source.take_type()?;
        let definitions = source.many(Source::definition)?;
        source.input.finish()?;
        if source.named as usize > definitions.len() {
            return Err(DecodeError::BadTag);
        }
        distinct(definitions.iter().map(|definition| definition.name.as_str()))?;
        Ok(Self::new(root, definitions))
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Result<(), DecodeError> {
    if repeats(names) { Err(DecodeError::DuplicateKey) } else { Ok(()) }
}

/// The rest of a document.
struct Source<'a, 'b> {
    input: Reader<'a>,
    budget: &'b mut Budget,
    /// One more than the largest definition referred to.
    named: u32,
}

impl Source<'_, '_> {
    fn name(&mut self) -> Result<String, DecodeError> {
        let text = self.input.text()?;
        self.budget.spend_cost(text.len())?;
        Ok(text.to_owned())
    }

    /// A count of things, of which each takes at least one byte.
    fn many<T>(
        &mut self,
        take: fn(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.input.length()?;
        self.budget.spend_elements(count as u64)?;
        if count > self.input.left() {
            return Err(DecodeError::LengthBeyondInput);
        }
        self.budget.spend_costs(count, size_of::<T>())?;
        let mut things = Vec::with_capacity(count);
        for _ in 0..count {
            things.push(take(self)?);
        }
        Ok(things)
    }

    /// Recursive, since the depth is bounded before each step down.
    fn take_type(&mut self) -> Result<Type, DecodeError> {
        let tag = self.input.byte()?;
        if let Some(leaf) = LEAVES.get(usize::from(tag)) {
            return Ok(leaf.clone());
        }
        if tag == NAMED {
            return self.reference();
        }
        self.budget.enter()?;
        let ty = match tag {
            OPTION => Type::Option(self.boxed()?),
            LIST => Type::List(self.boxed()?),
            ARRAY => Type::Array(self.u32()?, self.boxed()?),
            MAP => Type::Map(self.boxed()?, self.boxed()?),
            TUPLE => Type::Tuple(self.many(Self::take_type)?),
            ENTITY_STREAM => Type::EntityStream(Some(self.boxed()?)),
            _ => return Err(DecodeError::BadTag),
        };
        self.budget.leave();
        Ok(ty)
    }

    fn boxed(&mut self) -> Result<Box<Type>, DecodeError> {
        self.budget.spend_cost(size_of::<Type>())?;
        self.take_type().map(Box::new)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.input.u64()?).map_err(|_| DecodeError::NotCanonical)
    }

    fn reference(&mut self) -> Result<Type, DecodeError> {
        let index = self.u32()?;
        self.named = self.named.max(index.checked_add(1).ok_or(DecodeError::BadTag)?);
        Ok(Type::Named(index))
    }

    fn definition(&mut self) -> Result<Definition, DecodeError> {
        Ok(Definition { name: self.name()?, shape: self.shape()? })
    }

    fn shape(&mut self) -> Result<Shape, DecodeError> {
        match self.input.byte()? {
            0 => self.fields().map(Shape::Struct),
            1 => {
                let variants = self.many(Self::variant)?;
                distinct(variants.iter().map(|variant| variant.name.as_str()))?;
                Ok(Shape::Enum(variants))
            }
            2 => self.interface().map(Shape::Interface),
            _ => Err(DecodeError::BadTag),
        }
    }

    fn variant(&mut self) -> Result<Variant, DecodeError> {
        Ok(Variant::new(self.name()?, self.fields()?))
    }

    fn fields(&mut self) -> Result<Fields, DecodeError> {
        match self.input.byte()? {
            0 => Ok(Fields::Unit),
            1 => self.many(Self::take_type).map(Fields::Tuple),
            2 => {
                let fields = self.many(Self::field)?;
                distinct(fields.iter().map(|field| field.name.as_str()))?;
                Ok(Fields::named(fields))
            }
            _ => Err(DecodeError::BadTag),
        }
    }

    fn field(&mut self) -> Result<Field, DecodeError> {
        Ok(Field::new(self.name()?, self.take_type()?))
    }

    fn interface(&mut self) -> Result<Interface, DecodeError> {
        let doc = self.name()?;
        let methods = self.many(Self::method)?;
        distinct(methods.iter().map(|method| method.name.as_str()))?;
        Ok(Interface { doc, methods })
    }

    fn method(&mut self) -> Result<Method, DecodeError> {
        let (name, doc) = (self.name()?, self.name()?);
        let one_way = match self.input.byte()? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::BadBool),
        };
        let params = self.many(|source| Ok((source.name()?, source.take_type()?)))?;
        distinct(params.iter().map(|(name, _)| name.as_str()))?;
        Ok(Method { name, doc, params, result: self.take_type()?, one_way })
    }
}
