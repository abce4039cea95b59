//! Calls by nothing but the interface that an object describes itself with.
//!
//! Who has no Rust trait for an object asks it what it is, and passes and gets [`Entity`] values.
//! What does not fit the interface is refused here, before anything is sent. The other way round, a
//! [`DynamicObject`] is called by peers that have the trait.

mod object;

pub use object::DynamicObject;

use super::{
    Outcome, Outgoing, Remote, RemoteStreamer,
    imported::DESCRIBE,
    remote::{describe, malformed},
};
use crate::{Error, Result};
use farlens_wire::{
    Budget, Code, Entity,
    schema::{self, Fields, Interface, Method, SchemaDoc, Shape, Type},
};
use std::sync::Arc;

/// What a method answered that was called by its description.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DynamicAnswer {
    /// A value; null where the method gives nothing.
    Value(Entity),
    /// The object's own error: what `Err` holds in a result that is an enum of `Ok` and `Err`.
    Failed(Entity),
    /// A stream, which is not open yet.
    Stream(RemoteStreamer),
    /// Another object.
    Object(Remote),
}

impl Remote {
    /// What the object says can be called of it: a document whose root is an interface. Costs a
    /// round trip the first time, if the object is a peer's.
    ///
    /// # Errors
    /// `UNSUPPORTED` for what is no object, `MALFORMED` or `DECODE_LIMIT` for an interface that
    /// cannot be read, `DEADLINE_EXCEEDED`, and any failure of the link.
    pub async fn describe(&self) -> Result<Arc<SchemaDoc>> {
        let described = self.in_time(DESCRIBE, describe(self.reference().clone())).await?;
        match described.interface_of(described.root()) {
            Some(_) => Ok(described),
            None => Err(Error::new(Code::MALFORMED, "an object describes itself as none")),
        }
    }

    /// Calls a method by the interface that the object describes. `args` are the parameters, a
    /// record or a map by their names; objects and streams are [`Entity::Reference`]s. Parameters
    /// that are options may be left out.
    ///
    /// ```
    /// # use farlens::{DynamicAnswer, Entity, Remote};
    /// # async fn example(probe: Remote) -> farlens::Result<()> {
    /// let args = Entity::map([("n", Entity::from(3u32))]);
    /// match probe.call_dynamic("calibrate", &args).await? {
    ///     DynamicAnswer::Value(error) => println!("{error:?}"),
    ///     other => println!("no value: {other:?}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NO_SUCH_METHOD`; `USAGE` for parameters that the method does not have, that are missing or
    /// that do not fit, with the reason and before anything is sent; otherwise as
    /// [`Remote::call`] and [`Remote::describe`].
    pub async fn call_dynamic(&self, method: &str, args: &Entity) -> Result<DynamicAnswer> {
        let interface = self.describe().await?;
        let method = find_method(&interface, method)?;
        let outcome = self.invoke(request(&interface, method, args)).await?;
        if method.one_way {
            return Ok(DynamicAnswer::Value(Entity::Null));
        }
        answer(&interface, method, &outcome)
    }
}

/// The method of that name of the interface that is the root of `doc`.
fn find_method<'d>(doc: &'d SchemaDoc, name: &str) -> Result<&'d Method> {
    let interface = doc.interface_of(doc.root());
    let methods = interface.map(|Interface { methods, .. }| methods.as_slice()).unwrap_or_default();
    methods.iter().find(|method| method.name == name).ok_or_else(|| {
        let title = doc.definition_of(doc.root()).map_or("the object", |of| &of.name);
        let text = format!("{} has no method `{}`", title.escape_debug(), name.escape_debug());
        let known = list(methods.iter().map(|method| &*method.name));
        Error::new(Code::NO_SUCH_METHOD, text).with_hint(format!("its methods are: {known}"))
    })
}

/// A call whose parameters fit.
fn request(doc: &Arc<SchemaDoc>, method: &Method, args: &Entity) -> Result<Outgoing> {
    if let Some(unknown) = unknown_name(method, args) {
        let text = format!("`{}` has no parameter `{}`", shown(method), unknown.escape_debug());
        let known = list(method.params.iter().map(|(name, _)| &**name));
        let hint = match method.params.is_empty() {
            true => "it takes none".to_owned(),
            false => format!("its parameters are: {known}"),
        };
        return Err(Error::new(Code::USAGE, text).with_hint(hint));
    }
    let (mut bytes, mut table) = (Vec::new(), Vec::new());
    schema::encode_args(doc, method, args, &mut bytes, &mut table).map_err(|difference| {
        let text = format!("`{}` cannot be called so: {difference}", shown(method));
        Error::new(Code::USAGE, text).with_hint(format!("it is {}", doc.signature(method)))
    })?;
    let request = Outgoing::encoded(method.name.as_str().into(), bytes.into(), table);
    Ok(request.of_interface(Arc::clone(doc)).one_way(method.one_way))
}

/// The first name in `args` that is no parameter's.
fn unknown_name<'a>(method: &Method, args: &'a Entity) -> Option<&'a str> {
    let unknown = |name: &&str| method.params.iter().all(|(known, _)| known != name);
    match args {
        Entity::Record { fields, .. } => fields.iter().map(|(name, _)| &**name).find(unknown),
        Entity::Map(entries) => {
            let mut names = entries.iter().filter_map(|(key, _)| match key {
                Entity::Text(name) => Some(&**name),
                _ => None,
            });
            names.find(unknown)
        }
        _ => None,
    }
}

fn answer(doc: &SchemaDoc, method: &Method, outcome: &Outcome) -> Result<DynamicAnswer> {
    let Outcome { value, table, .. } = outcome;
    let mut budget = Budget::new(&outcome.limits());
    let mut value = schema::decode_type(doc, &method.result, value, table, &mut budget)
        .map_err(|error| malformed(&method.name, &error))?;
    let Some(success) = success_of(doc, &method.result) else {
        return given(&method.result, value);
    };
    let (failed, held) = match &mut value {
        Entity::Tagged { tag, value } => (tag == "Err", std::mem::take(&mut **value)),
        _ => return given(&method.result, value),
    };
    if failed { Ok(DynamicAnswer::Failed(held)) } else { given(success, held) }
}

/// What `Ok` holds, if `ty` is an enum of `Ok` and `Err` with one value each.
fn success_of<'d>(doc: &'d SchemaDoc, ty: &Type) -> Option<&'d Type> {
    let Shape::Enum(variants) = &doc.definition_of(ty)?.shape else { return None };
    let [ok, err] = variants.as_slice() else { return None };
    match (&*ok.name, &ok.fields, &*err.name, &err.fields) {
        ("Ok", Fields::Tuple(ok), "Err", Fields::Tuple(err)) if err.len() == 1 => match &ok[..] {
            [ok] => Some(ok),
            _ => None,
        },
        _ => None,
    }
}

fn given(ty: &Type, value: Entity) -> Result<DynamicAnswer> {
    let Entity::Reference(reference) = &value else { return Ok(DynamicAnswer::Value(value)) };
    let stream = matches!(ty, Type::ByteStream | Type::EntityStream(_));
    match Remote::try_from(reference.clone()) {
        Ok(object) if !stream => Ok(DynamicAnswer::Object(object)),
        _ => RemoteStreamer::try_from(reference.clone()).map(DynamicAnswer::Stream),
    }
}

fn shown(method: &Method) -> impl std::fmt::Display {
    method.name.escape_debug()
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| name.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
}
