//! One file for each verb.

pub(crate) mod bench;
pub(crate) mod call;
pub(crate) mod cat;
pub(crate) mod demo;
pub(crate) mod describe;
pub(crate) mod id;
pub(crate) mod iter;
pub(crate) mod ls;
pub(crate) mod put;
pub(crate) mod serve;
pub(crate) mod stat;
pub(crate) mod tail;
pub(crate) mod ticket;
pub(crate) mod truncate;
pub(crate) mod watch;

use crate::{
    args::{Cli, Verb},
    exit::{Exit, TABLE},
    output,
};
use farlens::Result;

/// Does what was asked for.
pub(crate) async fn run(cli: &Cli) -> Result<Exit> {
    let global = &cli.global;
    match &cli.verb {
        Verb::Serve(args) => serve::run(global, args).await,
        Verb::Ls(args) => ls::run(global, args).await,
        Verb::Stat(args) => stat::run(global, args).await,
        Verb::Describe(args) => describe::run(global, args).await,
        Verb::Call(args) => call::run(global, args).await,
        Verb::Cat(args) => cat::run(global, args).await,
        Verb::Iter(args) => iter::run(global, args).await,
        Verb::Tail(args) => tail::run(global, args).await,
        Verb::Put(args) => put::run(global, args).await,
        Verb::Truncate(args) => truncate::run(global, args).await,
        Verb::Watch(args) => watch::run(global, args).await,
        Verb::Id(args) => id::run(global, args).await,
        Verb::Ticket(args) => ticket::run(global, args),
        Verb::Bench(args) => bench::run(global, args).await,
        Verb::Demo(args) => demo::run(global, args).await,
        Verb::ExitCodes => Ok(output::lines([TABLE.to_owned()])),
    }
}
