//! Objects that are passed as parameters, and whose calls are printed.

use super::{Printer, is_nothing, to_line};
use crate::{exit::Exit, output, signals::Signals, stdout};
use farlens::{
    Code, DynamicAnswer, DynamicObject, Entity, Error, Remote, Result,
    schema::{SchemaDoc, Shape, Type},
};
use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::mpsc;

/// Lines that wait to be printed; whoever calls waits then.
const LINES: usize = 16;

/// The type of objects that a parameter takes, if it takes objects of one interface.
pub(super) fn interface<'d>(doc: &'d SchemaDoc, ty: &'d Type) -> Option<&'d Type> {
    let inner = match ty {
        Type::Option(inner) => inner,
        ty => ty,
    };
    doc.interface_of(inner).map(|_| inner)
}

/// What makes the objects.
pub(super) struct Teller {
    lines: mpsc::Sender<String>,
    any: Arc<AtomicBool>,
}

impl Teller {
    /// An object of an interface, as the value of the parameter `name`.
    pub(super) fn object(&self, name: &str, interface: SchemaDoc) -> Result<Entity> {
        let (lines, name, interface) = (self.lines.clone(), name.to_owned(), Arc::new(interface));
        let known = Arc::clone(&interface);
        let object = DynamicObject::new(interface, move |method, args| {
            let line = line(&name, &method, &args);
            let (lines, answer) = (lines.clone(), answer(&known, &method));
            async move {
                let gone = |_| Error::new(Code::CANCELLED, "nobody listens any more");
                lines.send(line).await.map_err(gone)?;
                answer
            }
        })?;
        self.any.store(true, Ordering::Relaxed);
        Ok(Entity::Reference(Remote::new(object).reference().clone()))
    }
}

/// A call as a line: the parameter with the method, and what the method was given.
fn line(name: &str, method: &str, args: &Entity) -> String {
    let mut entries = vec![(name.into(), method.into())];
    if let Entity::Record { fields, .. } = args {
        entries.extend(fields.iter().map(|(name, value)| (name.as_str().into(), value.clone())));
    }
    to_line(&Entity::Map(entries))
}

/// The answer of a method that gives nothing, also where it might fail. Any other cannot be
/// answered by somebody who only watches.
fn answer(doc: &SchemaDoc, method: &str) -> Result<Entity> {
    let methods = doc.interface_of(doc.root()).map(|interface| interface.methods.as_slice());
    let result = methods.unwrap_or_default().iter().find(|known| known.name == method);
    match result.map(|method| &method.result) {
        Some(ty) if is_nothing(doc, ty) => Ok(match doc.definition_of(ty).map(|of| &of.shape) {
            Some(Shape::Enum(_)) => {
                Entity::Tagged { tag: "Ok".into(), value: Box::new(Entity::Null) }
            }
            _ => Entity::Null,
        }),
        _ => Err(Error::new(Code::UNSUPPORTED, "this object only prints that it was called")),
    }
}

/// The calls of all objects of one run.
pub(super) struct Callbacks {
    lines: mpsc::Receiver<String>,
    any: Arc<AtomicBool>,
}

impl Callbacks {
    pub(super) fn new() -> (Self, Teller) {
        let (tell, lines) = mpsc::channel(LINES);
        let any = Arc::new(AtomicBool::new(false));
        (Self { lines, any: Arc::clone(&any) }, Teller { lines: tell, any })
    }

    /// Whether there is an object that may be called.
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Makes the call, and prints its answer and every call of the objects.
    pub(super) async fn attend(
        &mut self,
        printer: &Printer<'_>,
        call: impl Future<Output = Result<DynamicAnswer>>,
    ) -> Result<Exit> {
        let mut signals = Signals::listen()?;
        let (mut call, mut answered) = (pin!(call), false);
        let mut over = pin!(printer.link.closed());
        let mut abandoned = pin!(stdout::abandoned());
        let mut left = printer.count.unwrap_or(u64::MAX);
        let mut released = false;
        while left > 0 && !(answered && released) {
            tokio::select! {
                biased;
                exit = signals.next() => return Ok(exit),
                () = &mut abandoned => return Ok(Exit::OK),
                line = self.lines.recv(), if !released => match line {
                    Some(line) if output::line(&line) => left -= 1,
                    Some(_) => return Ok(Exit::OK),
                    None => released = true,
                },
                answer = &mut call, if !answered => {
                    answered = true;
                    printer.print(answer?).await?;
                }
                error = &mut over, if answered => return match error.code() {
                    Code::GOING_AWAY => Ok(Exit::OK),
                    _ => Err(error),
                },
            }
        }
        Ok(Exit::OK)
    }
}
