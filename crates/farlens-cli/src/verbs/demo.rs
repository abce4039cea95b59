//! `farlens demo`: the main job in one process, over a real link on loopback.

use crate::{args::Global, exit::Exit};
use farlens::Result;

/// Shows the whole at work.
#[derive(clap::Args, Debug)]
pub(crate) struct Demo {}

pub(crate) async fn run(_: &Global, _: &Demo) -> Result<Exit> {
    Ok(Exit::OK)
}
