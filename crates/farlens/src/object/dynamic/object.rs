//! Objects whose interface is known at run time only.

use super::{find_method, shown};
use crate::{
    Error, Result,
    object::{
        Dispatch, Incoming, Outcome,
        evolve::{Part, resolution},
    },
};
use farlens_wire::{
    Budget, Code, Entity,
    schema::{self, Method, SchemaDoc},
};
use futures::{FutureExt, future::BoxFuture};
use std::{fmt, future::Future, sync::Arc};

/// An object that answers the methods of an interface without a trait.
///
/// Its handler gets each call as the name of the method and a record of the parameters, and answers
/// with a value that fits the method's result. Whoever calls it cannot tell it from an object with
/// the trait.
pub struct DynamicObject<H> {
    interface: Arc<SchemaDoc>,
    handler: H,
}

impl<H> fmt::Debug for DynamicObject<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicObject").field("interface", &self.interface).finish_non_exhaustive()
    }
}

impl<H, F> DynamicObject<H>
where
    H: Fn(String, Entity) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Entity>> + Send + 'static,
{
    /// An object with the interface that is the root of `interface`. That of a parameter or result
    /// is [`SchemaDoc::part`] of the document that mentions it.
    ///
    /// # Errors
    /// `USAGE` when the root is no interface.
    pub fn new(interface: Arc<SchemaDoc>, handler: H) -> Result<Self> {
        if interface.interface_of(interface.root()).is_none() {
            let text = format!("{} is no interface", interface.type_name(interface.root()));
            return Err(Error::new(Code::USAGE, text));
        }
        Ok(Self { interface, handler })
    }

    /// The method that a call names, and its parameters: of a caller with another version of the
    /// interface as that has them, if they fit.
    fn read(&self, call: &Incoming) -> Result<(&Method, Entity)> {
        let own = find_method(&self.interface, &call.method)?;
        let (doc, written) = match &call.writer {
            Some(writer) => {
                resolution(Part::Arguments, &call.method, writer, &self.interface)?;
                (&**writer, find_method(writer, &call.method)?)
            }
            None => (&*self.interface, own),
        };
        let mut budget = Budget::new(&call.limits);
        let args = schema::decode_args(doc, written, &call.args, &call.table, &mut budget);
        let args = args.map_err(|error| {
            let text = format!("the arguments of `{}` are malformed: {error}", shown(own));
            Error::new(error.code(), text)
        })?;
        Ok((own, args))
    }

    fn write(&self, method: &Method, value: &Entity) -> Result<Outcome> {
        let (mut bytes, mut table) = (Vec::new(), Vec::new());
        let (interface, result) = (&self.interface, &method.result);
        let encoded = schema::encode_with(interface, result, value, &mut bytes, &mut table);
        encoded.map_err(|difference| {
            let text = format!("the answer of `{}` cannot be encoded: {difference}", shown(method));
            Error::new(Code::INTERNAL, text)
        })?;
        Ok(Outcome::new(bytes, table))
    }
}

impl<H, F> Dispatch for DynamicObject<H>
where
    H: Fn(String, Entity) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Entity>> + Send + 'static,
{
    fn interface(&self) -> Arc<SchemaDoc> {
        Arc::clone(&self.interface)
    }

    fn call(self: Arc<Self>, call: Incoming) -> BoxFuture<'static, Result<Outcome>> {
        async move {
            let (method, args) = self.read(&call)?;
            drop(call.table);
            let value = (self.handler)(call.method.into(), args).await?;
            if method.one_way { Ok(Outcome::default()) } else { self.write(method, &value) }
        }
        .boxed()
    }
}
