//! Parts of a document: what a type in it is, and the document that it would have alone.

use super::{Definition, Field, Fields, Interface, Method, SchemaDoc, Shape, Type, Variant};
use std::collections::{BTreeMap, BTreeSet};

impl SchemaDoc {
    /// The definition that a type of this document is, if it has a name.
    #[must_use]
    pub fn definition_of(&self, ty: &Type) -> Option<&Definition> {
        let Type::Named(index) = ty else { return None };
        self.definition(*index)
    }

    /// What can be called of an object of a type of this document, if it is such a type.
    #[must_use]
    pub fn interface_of(&self, ty: &Type) -> Option<&Interface> {
        match &self.definition_of(ty)?.shape {
            Shape::Interface(interface) => Some(interface),
            _ => None,
        }
    }

    /// The document of a type of this one, as [`SchemaDoc::of`] makes it where nothing else is
    /// described: definitions are in the order in which they are met, and names that had a number
    /// only because others were taken lose it.
    #[must_use]
    pub fn part(&self, ty: &Type) -> Self {
        let order = self.order_from(ty);
        let place = |(new, old): (usize, &u32)| Some((*old, u32::try_from(new).ok()?));
        let numbers: BTreeMap<u32, u32> = order.iter().enumerate().filter_map(place).collect();
        let renumber = Renumber(&numbers);
        let mut names = Names::default();
        let found = order.iter().filter_map(|old| self.definition(*old));
        let definitions = found.map(|definition| Definition {
            name: names.free(&definition.name),
            shape: renumber.shape(&definition.shape),
        });
        let definitions = definitions.collect();
        Self::new(renumber.ty(ty), definitions)
    }

    /// The definitions that `ty` leads to, each before those that it leads to itself.
    fn order_from(&self, ty: &Type) -> Vec<u32> {
        let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
        let mut waiting = Vec::new();
        mentioned(ty, &mut waiting);
        waiting.reverse();
        while let Some(index) = waiting.pop() {
            let Some(definition) = self.definition(index) else { continue };
            if seen.insert(index) {
                order.push(index);
                let start = waiting.len();
                types_of(&definition.shape, &mut |ty| mentioned(ty, &mut waiting));
                waiting[start..].reverse();
            }
        }
        order
    }
}

/// Calls `look` with each type of a definition, in order.
fn types_of(shape: &Shape, look: &mut impl FnMut(&Type)) {
    let mut fields = |fields: &Fields| match fields {
        Fields::Unit => {}
        Fields::Tuple(types) => types.iter().for_each(&mut *look),
        Fields::Named { fields, .. } => fields.iter().for_each(|field| look(&field.ty)),
    };
    match shape {
        Shape::Struct(of) => fields(of),
        Shape::Enum(variants) => variants.iter().for_each(|variant| fields(&variant.fields)),
        Shape::Interface(interface) => interface.methods.iter().for_each(|method| {
            method.params.iter().for_each(|(_, ty)| look(ty));
            look(&method.result);
        }),
    }
}

/// Adds the definitions that a type names itself. Recursive to the depth of the type, which
/// decoding and compiling bound.
fn mentioned(ty: &Type, found: &mut Vec<u32>) {
    match ty {
        Type::Named(index) => found.push(*index),
        Type::Option(inner)
        | Type::List(inner)
        | Type::Array(_, inner)
        | Type::EntityStream(Some(inner)) => mentioned(inner, found),
        Type::Map(key, value) => {
            mentioned(key, found);
            mentioned(value, found);
        }
        Type::Tuple(types) => types.iter().for_each(|ty| mentioned(ty, found)),
        _ => {}
    }
}

/// Names that are taken, and how often each was wanted.
#[derive(Default)]
struct Names {
    taken: BTreeSet<String>,
    wanted: BTreeMap<String, u32>,
}

impl Names {
    /// A name that no definition has yet, numbered as [`SchemaBuilder`](super::SchemaBuilder) does
    /// it.
    fn free(&mut self, name: &str) -> String {
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let base = match name.rsplit_once('#') {
            Some((base, number)) if digits(number) => base,
            _ => name,
        };
        let count = self.wanted.entry(base.to_owned()).or_default();
        loop {
            *count = count.saturating_add(1);
            let name = if *count == 1 { base.to_owned() } else { format!("{base}#{count}") };
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// Copies types with other numbers for definitions.
struct Renumber<'n>(&'n BTreeMap<u32, u32>);

impl Renumber<'_> {
    fn shape(&self, shape: &Shape) -> Shape {
        match shape {
            Shape::Struct(fields) => Shape::Struct(self.fields(fields)),
            Shape::Enum(variants) => Shape::Enum(
                variants
                    .iter()
                    .map(|variant| Variant {
                        fields: self.fields(&variant.fields),
                        ..variant.clone()
                    })
                    .collect(),
            ),
            Shape::Interface(Interface { doc, methods }) => Shape::Interface(Interface {
                doc: doc.clone(),
                methods: methods.iter().map(|method| self.method(method)).collect(),
            }),
        }
    }

    fn method(&self, method: &Method) -> Method {
        let params = method.params.iter().map(|(name, ty)| (name.clone(), self.ty(ty)));
        let (params, result) = (params.collect(), self.ty(&method.result));
        Method { params, result, ..method.clone() }
    }

    fn fields(&self, fields: &Fields) -> Fields {
        match fields {
            Fields::Unit => Fields::Unit,
            Fields::Tuple(types) => Fields::Tuple(self.types(types)),
            Fields::Named { fields, closed } => {
                let copy = |field: &Field| Field { ty: self.ty(&field.ty), ..field.clone() };
                Fields::Named { fields: fields.iter().map(copy).collect(), closed: *closed }
            }
        }
    }

    fn types(&self, types: &[Type]) -> Vec<Type> {
        types.iter().map(|ty| self.ty(ty)).collect()
    }

    fn ty(&self, ty: &Type) -> Type {
        let boxed = |inner: &Type| Box::new(self.ty(inner));
        match ty {
            Type::Named(index) => Type::Named(self.0.get(index).copied().unwrap_or(*index)),
            Type::Option(inner) => Type::Option(boxed(inner)),
            Type::List(inner) => Type::List(boxed(inner)),
            Type::Array(len, inner) => Type::Array(*len, boxed(inner)),
            Type::EntityStream(Some(inner)) => Type::EntityStream(Some(boxed(inner))),
            Type::Map(key, value) => Type::Map(boxed(key), boxed(value)),
            Type::Tuple(types) => Type::Tuple(self.types(types)),
            leaf => leaf.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, methods: Vec<Method>) -> Definition {
        let shape = Shape::Interface(Interface { doc: String::new(), methods });
        Definition { name: name.into(), shape }
    }

    fn method(name: &str, params: &[(&str, Type)], result: Type) -> Method {
        let params = params.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect();
        Method { name: name.into(), doc: String::new(), params, result, one_way: false }
    }

    fn structure(name: &str, ty: Type) -> Definition {
        let fields = Fields::named(vec![Field::new("x", ty)]);
        Definition { name: name.into(), shape: Shape::Struct(fields) }
    }

    /// An interface whose second definition mentions the third, the fourth and itself.
    fn whole() -> SchemaDoc {
        let watch = method("watch", &[("cb", Type::Named(3))], Type::Named(1));
        let told = method("told", &[("by", Type::Named(3)), ("at", Type::Named(2))], Type::Unit);
        let definitions = vec![
            interface("Probe", vec![watch]),
            structure("Time", Type::U64),
            structure("Time#2", Type::List(Box::new(Type::Named(4)))),
            interface("Alarm", vec![told]),
            structure("Leaf", Type::Option(Box::new(Type::Named(2)))),
        ];
        SchemaDoc::from_parts(Type::Named(0), definitions).expect("it is valid")
    }

    #[test]
    fn a_part_is_what_it_would_be_alone() {
        let told = method("told", &[("by", Type::Named(0)), ("at", Type::Named(1))], Type::Unit);
        let alone = vec![
            interface("Alarm", vec![told]),
            structure("Time", Type::List(Box::new(Type::Named(2)))),
            structure("Leaf", Type::Option(Box::new(Type::Named(1)))),
        ];
        let alone = SchemaDoc::from_parts(Type::Named(0), alone).expect("it is valid");
        assert_eq!(whole().part(&Type::Named(3)), alone);
    }

    #[test]
    fn the_whole_is_a_part_of_itself() {
        // Definitions that are in another order are put into the one of a description.
        let once = whole().part(whole().root());
        assert_eq!(once.part(once.root()), once);
        assert_eq!(once.definitions().len(), whole().definitions().len());
    }

    #[test]
    fn a_type_without_a_name_is_a_part_as_well() {
        let part = whole().part(&Type::Map(Box::new(Type::Text), Box::new(Type::Named(1))));
        assert_eq!(part.to_string(), "{text: Time}\nTime { x: u64 }");
        assert_eq!(whole().part(&Type::U8).to_string(), "u8");
    }

    #[test]
    fn a_definition_that_is_not_there_is_left_alone() {
        assert!(whole().part(&Type::Named(9)).definitions().is_empty());
        assert!(whole().definition_of(&Type::Named(9)).is_none());
        assert!(whole().interface_of(&Type::Named(1)).is_none());
        assert_eq!(whole().interface_of(&Type::Named(3)).map(|of| of.methods.len()), Some(1));
    }
}
