//! An object that is called from afar, with the trait and without it. Checks itself and ends; with
//! `--json` it serves until a signal, and its first line says where, as that of `farlens serve`:
//!
//! ```sh
//! cargo run -p farlens-examples --example probe -- --json [ADDR]
//! farlens describe TICKET/probe
//! farlens call TICKET/probe poses hz:=30 --count 1
//! ```
mod needle;
mod object;

use farlens::{
    Client, DynamicAnswer, DynamicObject, Entity, Identity, Link, Remote, Result, Server, Verb,
};
use farlens_examples::{check, wrong};
use futures::{StreamExt, TryStreamExt};
use needle::{Needle, POSES};
use object::{Dataset, DatasetError, Pose, Probe, ProbeRef};
use std::sync::Arc;
use tokio::{io::AsyncReadExt, sync::mpsc};

async fn serve(address: &str) -> Result<Server> {
    Server::builder()
        .identity(Identity::generate()?)
        .publish("/probe", ProbeRef::new(Needle))
        .bind(address)
        .await
}

fn ticket(server: &Server) -> Result<String> {
    Ok(server.invite_to("/", &[Verb::Read, Verb::Call])?.to_string())
}

/// Who has the trait calls its methods, and has the compiler on its side.
async fn with_the_trait(link: &Link) -> Result<()> {
    let probe: ProbeRef = link.object("/probe").await?;
    println!("calibrate(3) is {:.4}", probe.calibrate(3).await?);
    let poses: Vec<Pose> = probe.poses(30).try_collect().await?;
    let expected: Vec<Pose> = (0..POSES).map(|index| Pose::at(index, 30)).collect();
    check(poses == expected, "the poses differ")?;
    let lost = probe.dataset("mr".into()).await.map(drop);
    check(lost == Err(DatasetError::NoSuchSet { name: "mr".into() }), "another error")?;
    let set = probe.dataset("ct".into()).await.map_err(|_| wrong("there is no ct"))?;
    let (size, mut bytes) = (set.size().await?, Vec::new());
    let mut stream = set.bytes().await?.connect().await?;
    stream.read_to_end(&mut bytes).await.map_err(|error| wrong(error.to_string()))?;
    println!("{} poses; ct has {size} bytes", poses.len());
    check(bytes.len() as u64 == size, "the dataset has another length")
}

/// Who has not asks the object what it is, as `farlens describe` and `farlens call` do.
async fn without_it(link: &Link) -> Result<()> {
    let probe: Remote = link.object("/probe").await?;
    let interface = probe.describe().await?;
    let methods = interface.interface_of(interface.root()).ok_or_else(|| wrong("no interface"))?;
    methods.methods.iter().for_each(|method| println!("  {}", interface.signature(method)));
    let args = Entity::map([("n", Entity::from(3u32))]);
    let DynamicAnswer::Value(Entity::F64(error)) = probe.call_dynamic("calibrate", &args).await?
    else {
        return Err(wrong("calibrate gives no number"));
    };
    check(error > 0.0, "the error is nothing")?;
    let args = Entity::map([("hz", Entity::from(30u32))]);
    let DynamicAnswer::Stream(poses) = probe.call_dynamic("poses", &args).await? else {
        return Err(wrong("poses gives no stream"));
    };
    let first =
        poses.entities::<Entity>().await?.next().await.ok_or_else(|| wrong("no pose"))??;
    check(first.get("tool") == Some(&Entity::from("needle")), "another tool")?;
    let args = Entity::map([("n", Entity::from("three"))]);
    let refused = probe.call_dynamic("calibrate", &args).await.err();
    let refused = refused.ok_or_else(|| wrong("text was taken for a number"))?;
    println!("refused: {refused}");
    be_called_back(&probe).await
}

/// An object of an interface that only the described one names.
async fn be_called_back(probe: &Remote) -> Result<()> {
    let interface = probe.describe().await?;
    let methods = interface.interface_of(interface.root()).map(|of| of.methods.as_slice());
    let watch = methods.unwrap_or_default().iter().find(|method| method.name == "watch");
    let (name, alarm) =
        watch.and_then(|watch| watch.params.first()).ok_or_else(|| wrong("nothing to watch"))?;
    let (tell, mut told) = mpsc::channel(1);
    let alarm = DynamicObject::new(Arc::new(interface.part(alarm)), move |method, args| {
        let tell = tell.clone();
        async move {
            tell.send((method, args)).await.map_err(|_| wrong("nobody listens"))?;
            Ok(Entity::Null)
        }
    })?;
    let alarm = Entity::Reference(Remote::new(alarm).reference().clone());
    probe.call_dynamic("watch", &Entity::map([(name.as_str(), alarm)])).await?;
    let (method, args) = told.recv().await.ok_or_else(|| wrong("the alarm was not told"))?;
    println!("the alarm was told: {method} {:?}", args.get("what"));
    check(method == "fired", "another method was called")
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some("--json") {
        let server = serve(&words.next().unwrap_or_else(|| "127.0.0.1:0".into())).await?;
        let (addr, key, ticket) = (server.local_addr(), server.key(), ticket(&server)?);
        // None of the three has a letter that JSON escapes.
        println!(r#"{{"event":"listening","addr":"{addr}","key":"{key}","ticket":"{ticket}"}}"#);
        return server.run().await;
    }
    let server = serve("127.0.0.1:0").await?;
    let client = Client::builder().identity(Identity::generate()?);
    let link = client.connect(&ticket(&server)?).await?;
    with_the_trait(&link).await?;
    without_it(&link).await
}
