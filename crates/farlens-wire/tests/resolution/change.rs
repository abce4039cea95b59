//! Random changes of a type: such that its readers should bear, and, if asked for, others.

use crate::make::{NUMBERS, leaf};
use crate::tape::Tape;
use farlens_wire::schema::{Definition, Field, Fields, SchemaDoc, Shape, Type, Variant};

/// A later version of the type. Where it is `rough`, some changes may be incompatible.
pub(crate) fn changed(doc: &SchemaDoc, rough: bool, tape: &mut Tape<'_>) -> SchemaDoc {
    let mut editor = Editor { added: Vec::new(), next: doc.definitions().len() as u32, rough };
    let root = editor.ty(doc.root(), tape);
    let definitions = doc.definitions().iter().map(|old| editor.definition(old, tape));
    let mut definitions: Vec<_> = definitions.collect();
    definitions.append(&mut editor.added);
    SchemaDoc::from_parts(root, definitions).expect("it is valid")
}

struct Editor {
    /// Newtypes that are put around other types.
    added: Vec<Definition>,
    /// The number of the next definition that is added.
    next: u32,
    rough: bool,
}

impl Editor {
    fn definition(&mut self, old: &Definition, tape: &mut Tape<'_>) -> Definition {
        let name = if tape.once_in(4) { format!("{}New", old.name) } else { old.name.clone() };
        let shape = match &old.shape {
            Shape::Struct(fields) => Shape::Struct(self.fields(fields, tape)),
            Shape::Enum(variants) => Shape::Enum(self.variants(variants, tape)),
            Shape::Interface(interface) => Shape::Interface(interface.clone()),
        };
        Definition { name, shape }
    }

    fn fields(&mut self, old: &Fields, tape: &mut Tape<'_>) -> Fields {
        match old {
            Fields::Unit if tape.once_in(4) => self.named(&[], tape),
            Fields::Unit => Fields::Unit,
            Fields::Tuple(types) => {
                Fields::Tuple(types.iter().map(|ty| self.ty(ty, tape)).collect())
            }
            Fields::Named { .. } if tape.once_in(8) => Fields::Unit,
            Fields::Named { fields, .. } => self.named(fields, tape),
        }
    }

    fn named(&mut self, old: &[Field], tape: &mut Tape<'_>) -> Fields {
        let mut fields = Vec::new();
        for field in old {
            if tape.once_in(5) {
                continue;
            }
            let mut new = Field::new(&field.name, self.ty(&field.ty, tape));
            if tape.once_in(4) {
                new.aliases.push(std::mem::replace(&mut new.name, format!("{}x", field.name)));
            }
            fields.push(new);
        }
        for added in 0..tape.below(6).saturating_sub(3) {
            let option = Type::Option(Box::new(leaf(tape)));
            let (ty, default) = if tape.once_in(2) { (Type::U32, true) } else { (option, false) };
            let default = default && !(self.rough && tape.once_in(3));
            fields.push(Field { default, ..Field::new(format!("new{added}"), ty) });
        }
        shuffle(&mut fields, tape);
        Fields::Named { fields, closed: self.rough && tape.once_in(8) }
    }

    /// The first one stays known, since a type without any in common does not resolve.
    fn variants(&mut self, old: &[Variant], tape: &mut Tape<'_>) -> Vec<Variant> {
        let mut variants = Vec::new();
        for (at, variant) in old.iter().enumerate() {
            if at > 0 && tape.once_in(6) {
                continue;
            }
            let mut new = Variant::new(&variant.name, self.fields(&variant.fields, tape));
            if tape.once_in(6) {
                new.aliases.push(std::mem::replace(&mut new.name, format!("{}x", variant.name)));
            }
            variants.push(new);
        }
        if tape.once_in(4) {
            variants.push(Variant::new("Added", Fields::Unit));
        }
        shuffle(&mut variants, tape);
        variants
    }

    fn ty(&mut self, old: &Type, tape: &mut Tape<'_>) -> Type {
        if self.rough && NUMBERS.contains(old) && tape.once_in(2) {
            return NUMBERS[tape.below(NUMBERS.len())].clone();
        }
        if self.rough && tape.once_in(16) {
            return leaf(tape);
        }
        let new = self.inside(old, tape);
        match tape.below(10) {
            8 => Type::Option(Box::new(new)),
            9 => self.newtype(new),
            _ => new,
        }
    }

    fn newtype(&mut self, ty: Type) -> Type {
        let name = format!("N{}", self.next);
        self.added.push(Definition { name, shape: Shape::Struct(Fields::Tuple(vec![ty])) });
        self.next += 1;
        Type::Named(self.next - 1)
    }

    fn inside(&mut self, old: &Type, tape: &mut Tape<'_>) -> Type {
        let mut boxed = |ty: &Type, tape: &mut Tape<'_>| Box::new(self.ty(ty, tape));
        match old {
            Type::Option(ty) => Type::Option(boxed(ty, tape)),
            // Bytes to an untyped reader, which has them as a kind of their own.
            Type::List(ty) if **ty == Type::U8 => [old.clone(), Type::Bytes][tape.below(2)].clone(),
            Type::List(ty) => Type::List(boxed(ty, tape)),
            Type::Array(len, ty) if tape.once_in(2) => Type::Array(*len, boxed(ty, tape)),
            Type::Array(_, ty) => Type::List(boxed(ty, tape)),
            Type::Tuple(types) => Type::Tuple(types.iter().map(|ty| self.ty(ty, tape)).collect()),
            Type::Map(key, value) => {
                let key = if tape.once_in(2) { wider(key, tape) } else { (**key).clone() };
                Type::Map(Box::new(key), boxed(value, tape))
            }
            Type::Named(index) => Type::Named(*index),
            leaf if tape.once_in(3) => wider(leaf, tape),
            leaf => leaf.clone(),
        }
    }
}

/// A leaf that holds every value of the other.
fn wider(leaf: &Type, tape: &mut Tape<'_>) -> Type {
    let choices: &[Type] = match leaf {
        Type::U8 => &[Type::U16, Type::I16, Type::U128, Type::F32, Type::F64, Type::Any],
        Type::U16 => &[Type::U32, Type::I32],
        Type::U32 => &[Type::U64, Type::I64, Type::F64],
        Type::U64 => &[Type::U128, Type::I128],
        Type::I8 => &[Type::I16, Type::F32, Type::F64, Type::Any],
        Type::I16 => &[Type::I32, Type::I128, Type::F32],
        Type::I32 => &[Type::I64],
        Type::I64 => &[Type::I128, Type::Any],
        Type::F32 => &[Type::F64, Type::Any],
        Type::Char => &[Type::Text],
        other => return other.clone(),
    };
    choices[tape.below(choices.len())].clone()
}

fn shuffle<T>(things: &mut [T], tape: &mut Tape<'_>) {
    for at in 1..things.len() {
        if tape.once_in(3) {
            things.swap(at, tape.below(at));
        }
    }
}
