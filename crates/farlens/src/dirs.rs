//! Where Farlens keeps its files: the XDG directories, and their usual places without them.

use crate::{Code, Error, Identity, Result};
use std::{
    env,
    path::{Path, PathBuf},
};

/// Keys and trust: `$XDG_CONFIG_HOME/farlens`, else `~/.config/farlens`.
///
/// # Errors
///
/// [`Code::BAD_CONFIG`] if neither the variable nor a home directory is known.
pub fn config_dir() -> Result<PathBuf> {
    from_environment("XDG_CONFIG_HOME", ".config")
}

/// Journals of transfers: `$XDG_STATE_HOME/farlens`, else `~/.local/state/farlens`.
///
/// # Errors
///
/// As [`config_dir`].
pub fn state_dir() -> Result<PathBuf> {
    from_environment("XDG_STATE_HOME", ".local/state")
}

/// What may be lost: `$XDG_CACHE_HOME/farlens`, else `~/.cache/farlens`.
///
/// # Errors
///
/// As [`config_dir`].
pub fn cache_dir() -> Result<PathBuf> {
    from_environment("XDG_CACHE_HOME", ".cache")
}

/// The key of one side and the file with whom it trusts. Both default to the user's own; a side with
/// a key of its own has no list unless one is named. Blocks.
pub(crate) fn identity_and_list(
    identity: Option<Identity>,
    list: Option<PathBuf>,
    default_list: &str,
) -> Result<(Identity, Option<PathBuf>)> {
    let list = match (list, &identity) {
        (Some(path), _) => Some(path),
        (None, Some(_)) => None,
        (None, None) => Some(config_dir()?.join(default_list)),
    };
    let identity = match identity {
        Some(identity) => identity,
        None => Identity::load_or_create(config_dir()?.join("identity.key"))?,
    };
    Ok((identity, list))
}

fn from_environment(variable: &str, below_home: &str) -> Result<PathBuf> {
    let set = env::var_os(variable).map(PathBuf::from);
    choose(set, env::home_dir(), below_home).ok_or_else(|| {
        Error::new(Code::BAD_CONFIG, "there is no home directory to keep files in")
            .with_hint(format!("set HOME or {variable} to an absolute path"))
    })
}

/// A relative path in a variable counts as unset, as the XDG specification wants it.
fn choose(set: Option<PathBuf>, home: Option<PathBuf>, below_home: &str) -> Option<PathBuf> {
    let usable = |path: &PathBuf| path.is_absolute();
    let base = set
        .filter(usable)
        .or_else(|| home.filter(usable).map(|home| home.join(Path::new(below_home))))?;
    Some(base.join("farlens"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_wins_if_it_is_absolute() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(choose(path("/x"), path("/h"), ".config"), path("/x/farlens"));
        assert_eq!(choose(path("x"), path("/h"), ".config"), path("/h/.config/farlens"));
        assert_eq!(choose(path(""), path("/h"), ".config"), path("/h/.config/farlens"));
        assert_eq!(choose(None, path("/h"), ".local/state"), path("/h/.local/state/farlens"));
        assert_eq!(choose(None, path(""), ".config"), None);
    }
}
