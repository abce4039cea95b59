//! `farlens call`: a method of an object, by nothing but what the object says of itself.
//!
//! `words` reads what was typed, `fit` makes it what the parameters are, `callback` is an object
//! whose calls are printed, and this file makes the call and prints its answer.

mod callback;
mod fit;
mod words;

use super::cat;
use crate::{
    args::Global,
    connect,
    exit::Exit,
    json,
    lines::{Reader, Style},
    output,
    pump::{self, Unit},
};
use callback::Callbacks;
use farlens::{
    Code, DynamicAnswer, Entity, Error, Kind, Link, Remote, RemoteStreamer, Result,
    schema::{Fields, Method, SchemaDoc, Shape, Type},
};
use serde::Serialize;
use words::{Given, Words};

/// Call a method of an object and print its answer.
///
/// KEY=TEXT gives a parameter as it is typed, KEY:=JSON as what the method takes: a number, a bool,
/// a list, a structure as an object. A string of JSON for bytes is base64. What is an option may be
/// left out. Nothing is run where a parameter does not fit.
///
/// The answer is a line of JSON, and nothing where the method gives nothing. Entities of a stream
/// are lines as they come, bytes of a stream are printed as they are, and an object is a line with
/// its interface.
///
/// KEY=- for a parameter that is an object gives one whose calls are printed: {"KEY":"method", …},
/// with the parameters of the call behind that. It goes on until SIGINT, the end of the link or of
/// --count, or until nobody has the object any more. A method that gives nothing is answered, any
/// other fails.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub(crate) struct Call {
    /// A URL or a ticket, perhaps with a path behind it; the method; and its parameters.
    #[arg(required = true, value_name = "TARGET METHOD KEY=TEXT KEY:=JSON")]
    words: Vec<String>,
    /// All parameters as one JSON object, from a file or from standard input. Those that are typed
    /// take the place of those in it.
    #[arg(short, long, value_name = "@FILE|-", allow_hyphen_values = true)]
    data: Option<String>,
    /// How many entities or bytes of a stream to print at most, or how many calls of an object.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

const USAGE: &str = "farlens call [OPTIONS] [TARGET] METHOD [KEY=TEXT | KEY:=JSON]...";

const EXAMPLES: &str = "\
Examples:
  farlens describe TICKET/probe                   what there is to call
  farlens call TICKET/probe calibrate n:=3
  farlens call TICKET/probe poses hz:=30 --count 1
  farlens call TICKET/probe watch cb=-            a line for each call of `cb`
  farlens call TICKET/probe move_to -d @pose.json speed:=0.5 --timeout 5s";

/// An answer that is an object.
#[derive(Serialize)]
struct Object<'a> {
    object: &'a str,
}

pub(crate) async fn run(global: &Global, args: &Call) -> Result<Exit> {
    let words = Words::split(&args.words)?;
    let given = words::parameters(args.data.as_deref(), words.parameters)?;
    let target = connect::target(global, words.target)?;
    let link = connect::link(global, &target).await?;
    let path = target.path().as_str();
    let object = connect::object(global, &link, path).await?;
    let doc = object.describe().await?;
    let methods = doc.interface_of(doc.root()).map(|interface| &interface.methods);
    let method = methods.and_then(|all| all.iter().find(|method| method.name == words.method));

    let typed_text = given.iter().any(|(_, given)| matches!(given, Given::Text(_)));
    let (mut callbacks, teller) = Callbacks::new();
    let parameters = parameters(&doc, method, given, &teller)?;
    drop(teller);
    let call = async {
        let parameters = parameters;
        let outcome = object.call_dynamic(words.method, &parameters).await;
        outcome.map_err(|error| explain(&error, typed_text).unwrap_or(error))
    };
    let printer = Printer { global, link: &link, doc: &doc, method, count: args.count };
    if callbacks.any() {
        callbacks.attend(&printer, call).await
    } else {
        printer.print(call.await?).await
    }
}

/// The parameters as the method takes them. What it does not take stays, for the call to refuse.
fn parameters(
    doc: &SchemaDoc,
    method: Option<&Method>,
    given: Vec<(String, Given)>,
    teller: &callback::Teller,
) -> Result<Entity> {
    let mut entries = Vec::with_capacity(given.len());
    for (name, given) in given {
        let params = method.map(|method| method.params.as_slice()).unwrap_or_default();
        let due = params.iter().find(|(param, _)| *param == name).map(|(_, ty)| ty);
        let value = match (due, given) {
            (None, Given::Text(text)) => Entity::Text(text),
            (None, Given::Json(value)) => value,
            (Some(ty), Given::Text(text)) => match callback::interface(doc, ty) {
                Some(interface) if text == "-" => teller.object(&name, doc.part(interface))?,
                _ => fit::text(doc, ty, text),
            },
            (Some(ty), Given::Json(value)) => fit::json(doc, ty, value),
        };
        entries.push((Entity::Text(name), value));
    }
    Ok(Entity::Map(entries))
}

/// A refusal of parameters with what may have been meant.
fn explain(error: &Error, typed_text: bool) -> Option<Error> {
    let hint = error.hint().filter(|_| typed_text && error.code() == Code::USAGE)?;
    let hint = format!("{hint}; what is no text is typed as JSON: KEY:=3");
    Some(Error::new(error.code(), error.to_string()).with_hint(hint))
}

/// What is to be known to print an answer.
struct Printer<'a> {
    global: &'a Global,
    link: &'a Link,
    doc: &'a SchemaDoc,
    method: Option<&'a Method>,
    count: Option<u64>,
}

impl Printer<'_> {
    async fn print(&self, answer: DynamicAnswer) -> Result<Exit> {
        match answer {
            DynamicAnswer::Value(_) if self.gives_nothing() => Ok(Exit::OK),
            DynamicAnswer::Value(value) => Ok(output::lines([to_line(&value)])),
            DynamicAnswer::Failed(error) => {
                let name = self.method.map_or("the method", |method| &method.name);
                let text = format!("`{name}` failed: {}", to_line(&error));
                Err(Error::new(Code::APPLICATION, text)
                    .with_hint("this is what the object says; `farlens describe` shows its type"))
            }
            DynamicAnswer::Stream(streamer) => self.print_stream(&streamer).await,
            DynamicAnswer::Object(object) => print_object(&object).await,
            _ => Err(Error::new(Code::UNSUPPORTED, "an answer of a kind that is not known here")),
        }
    }

    async fn print_stream(&self, streamer: &RemoteStreamer) -> Result<Exit> {
        if streamer.kind() == Some(Kind::Bytes) {
            let pieces = cat::pieces(streamer.connect().await?, self.count);
            return pump::run(self.link, Unit::Bytes, pieces).await;
        }
        let stream = streamer.entities::<Entity>().await?;
        let pieces = Reader::new(stream, Style::JSON).pieces(self.global, self.count);
        pump::run(self.link, Unit::Entities, pieces).await
    }

    fn gives_nothing(&self) -> bool {
        self.method.is_some_and(|method| method.one_way || is_nothing(self.doc, &method.result))
    }
}

/// Whether a result is nothing, or nothing or an error.
fn is_nothing(doc: &SchemaDoc, ty: &Type) -> bool {
    let of_definition = || match &doc.definition_of(ty)?.shape {
        Shape::Enum(variants) => {
            let ok = variants.iter().find(|variant| variant.name == "Ok")?;
            Some(ok.fields == Fields::Tuple(vec![Type::Unit]))
        }
        Shape::Struct(fields) => Some(*fields == Fields::Unit),
        Shape::Interface(_) => None,
    };
    *ty == Type::Unit || of_definition().unwrap_or(false)
}

async fn print_object(object: &Remote) -> Result<Exit> {
    let doc = object.describe().await?;
    let name = doc.definition_of(doc.root()).map_or("", |definition| &definition.name);
    Ok(output::lines([output::to_json(&Object { object: name })]))
}

fn to_line(value: &Entity) -> String {
    let mut line = String::new();
    // A string takes every text; a NaN is null, as in other lines.
    let _ = json::write(value, &mut line);
    line
}
