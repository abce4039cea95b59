//! An object whose methods are only known at run time.

use crate::probe::{Dataset, DatasetRef};
use farlens::{
    Code, Dispatch, Incoming, Outcome, Remote, Result,
    schema::{Definition, Interface, Method, SchemaDoc, Shape, Type},
};
use futures::{FutureExt, future::BoxFuture};
use std::sync::Arc;

/// Answers every method of its table with a number.
struct Table(Vec<(&'static str, u64)>);

#[derive(serde::Deserialize)]
struct NoArguments {}

impl Dispatch for Table {
    fn interface(&self) -> Arc<SchemaDoc> {
        let methods = self.0.iter().map(|(name, _)| Method {
            name: (*name).to_owned(),
            doc: String::new(),
            params: Vec::new(),
            result: Type::U64,
            one_way: false,
        });
        let shape = Shape::Interface(Interface { doc: String::new(), methods: methods.collect() });
        let definition = Definition { name: "Table".into(), shape };
        Arc::new(SchemaDoc::from_parts(Type::Named(0), vec![definition]).unwrap())
    }

    fn call(self: Arc<Self>, call: Incoming) -> BoxFuture<'static, Result<Outcome>> {
        async move {
            let found = self.0.iter().find(|(name, _)| *name == call.method);
            let (_, value) = found.ok_or_else(|| call.no_such_method("Table"))?;
            let NoArguments {} = call.arguments(&self.interface())?;
            Outcome::of(value)
        }
        .boxed()
    }
}

#[tokio::test]
async fn an_object_made_by_hand_is_called_by_name_and_by_type() {
    let table = Remote::new(Table(vec![("size", 7), ("weight", 8)]));
    assert_eq!(table.call::<_, u64>("weight", &()).await.unwrap(), 8);
    let data = DatasetRef::from(table);
    assert_eq!(data.size().await.unwrap(), 7);
    assert_eq!(data.part(1).await.map(drop).unwrap_err().code(), Code::NO_SUCH_METHOD);
}
