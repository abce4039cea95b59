//! `farlens id`: the key by which others know this user.

use crate::{args::Global, exit::Exit, output};
use farlens::{Code, Error, Identity, Result, dirs};
use serde::Serialize;

/// Show the key by which others know this user, and make it at the first use.
#[derive(clap::Args, Debug)]
pub(crate) struct Id {}

#[derive(Serialize)]
struct Line {
    key: String,
    file: String,
}

pub(crate) async fn run(global: &Global, _: &Id) -> Result<Exit> {
    let load = || {
        let file = dirs::config_dir()?.join("identity.key");
        Ok((Identity::load_or_create(&file)?.key_id(), file))
    };
    let (key, file) = tokio::task::spawn_blocking(load)
        .await
        .unwrap_or_else(|_| Err(Error::new(Code::INTERNAL, "the key could not be read")))?;
    if global.json {
        let line = Line { key: key.to_string(), file: file.display().to_string() };
        return Ok(output::lines([output::to_json(&line)]));
    }
    output::note(global, &format!("kept in {}", file.display()));
    Ok(output::lines([key.grouped().to_string()]))
}
