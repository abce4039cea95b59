//! What was typed: where to, which method, and its parameters.

use crate::json::parse_line;
use farlens::{Code, Entity, Error, Result};
use std::{io::Read, mem::take};

/// A call carries less than this.
const DATA_BYTES: u64 = 64 << 20;

/// The words of a call by what they are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words<'a> {
    pub(super) target: Option<&'a str>,
    pub(super) method: &'a str,
    pub(super) parameters: &'a [String],
}

/// How a parameter was given.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given {
    /// `KEY=TEXT`
    Text(String),
    /// `KEY:=JSON`, or a part of `--data`.
    Json(Entity),
}

impl<'a> Words<'a> {
    /// Tells a target, which may be left out, from a method: no method has a slash, and a parameter
    /// has a `=`.
    pub(super) fn split(words: &'a [String]) -> Result<Self> {
        let (first, rest) = words.split_first().ok_or_else(no_method)?;
        let has_target =
            first.contains('/') || rest.first().is_some_and(|next| !next.contains('='));
        if !has_target {
            // A lone ticket is no method.
            return match first.starts_with("flp1") || first.starts_with("fls1") {
                true => Err(no_method()),
                false => Ok(Self { target: None, method: first, parameters: rest }),
            };
        }
        let (method, parameters) = rest.split_first().ok_or_else(no_method)?;
        match method.contains('=') {
            true => Err(no_method()),
            false => Ok(Self { target: Some(first), method, parameters }),
        }
    }
}

fn no_method() -> Error {
    Error::new(Code::USAGE, "no METHOD is given")
        .with_hint("`farlens describe` lists the methods of an object")
}

/// All parameters: those of `--data`, and those that were typed in their place.
pub(super) fn parameters(data: Option<&str>, typed: &[String]) -> Result<Vec<(String, Given)>> {
    let mut all = match data {
        Some(data) => from_json(&read(data)?)?,
        None => Vec::new(),
    };
    let from_data = all.len();
    for word in typed {
        let (name, given) = parameter(word)?;
        match all.iter().position(|(known, _)| *known == name) {
            Some(at) if at < from_data => all[at].1 = given,
            Some(_) => {
                return Err(Error::new(Code::USAGE, format!("`{name}` is given twice")));
            }
            None => all.push((name, given)),
        }
    }
    Ok(all)
}

fn parameter(word: &str) -> Result<(String, Given)> {
    let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err(Error::new(Code::USAGE, format!("`{word}` is no parameter"))
            .with_hint("a parameter is KEY=TEXT or KEY:=JSON"));
    };
    let Some(name) = name.strip_suffix(':') else {
        return Ok((name.to_owned(), Given::Text(value.to_owned())));
    };
    let value = parse_line(value).map_err(|error| {
        Error::new(Code::USAGE, format!("the value of `{name}` is no JSON: {error}"))
            .with_hint(format!("text is typed {name}=TEXT, without a colon"))
    })?;
    Ok((name.to_owned(), Given::Json(value)))
}

fn from_json(text: &str) -> Result<Vec<(String, Given)>> {
    let refused = |why: String| {
        Error::new(Code::USAGE, format!("--data {why}"))
            .with_hint("it is one JSON object with all parameters by their names")
    };
    let mut value = parse_line(text).map_err(|error| refused(format!("is no JSON: {error}")))?;
    let Entity::Map(entries) = &mut value else {
        return Err(refused(format!("is no object but {}", value.kind())));
    };
    let named = |(name, value): &mut (Entity, Entity)| match name {
        Entity::Text(name) => Some((take(name), Given::Json(take(value)))),
        _ => None,
    };
    Ok(entries.iter_mut().filter_map(named).collect())
}

fn read(data: &str) -> Result<String> {
    let unreadable = |error: std::io::Error| {
        Error::new(Code::USAGE, format!("{data} cannot be read")).with_source(error)
    };
    let mut text = String::new();
    let from: Box<dyn Read> = match data.strip_prefix('@') {
        Some(path) => Box::new(std::fs::File::open(path).map_err(unreadable)?),
        None if data == "-" => Box::new(std::io::stdin()),
        None => {
            return Err(Error::new(Code::USAGE, "--data names neither a file nor standard input")
                .with_hint("-d @FILE, or -d - for standard input"));
        }
    };
    from.take(DATA_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_target_may_be_left_out() {
        for (typed, target, method, count) in [
            ("calibrate", None, "calibrate", 0),
            ("calibrate n:=3 m=x", None, "calibrate", 2),
            ("/probe calibrate", Some("/probe"), "calibrate", 0),
            ("farlens://lab/a=b calibrate n:=3", Some("farlens://lab/a=b"), "calibrate", 1),
            ("fls1abc calibrate n:=3 m:=4", Some("fls1abc"), "calibrate", 2),
        ] {
            let typed = words(typed);
            let found = Words::split(&typed).expect("it is a call");
            assert_eq!(
                (found.target, found.method, found.parameters.len()),
                (target, method, count)
            );
        }
        for bad in ["", "fls1abc", "fls1abc n:=3", "/probe", "/probe n:=3", "farlens://lab/p"] {
            let error = Words::split(&words(bad)).expect_err(bad);
            assert!(error.message().contains("METHOD"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_colon_means_json() {
        let given =
            parameters(None, &words(r#"a=1 b:=1 c=d:=2 e= f:=[1,"x"] g=:="#)).expect("good");
        let text = |text: &str| Given::Text(text.to_owned());
        let list = Entity::List(vec![Entity::Int(1), "x".into()]);
        assert_eq!(
            given,
            [
                ("a".to_owned(), text("1")),
                ("b".to_owned(), Given::Json(Entity::Int(1))),
                ("c".to_owned(), text("d:=2")),
                ("e".to_owned(), text("")),
                ("f".to_owned(), Given::Json(list)),
                ("g".to_owned(), text(":=")),
            ]
        );
    }

    #[test]
    fn what_is_no_parameter_is_named() {
        for (bad, part) in [
            ("a", "`a` is no parameter"),
            ("=1", "is no parameter"),
            ("a:=", "`a` is no JSON"),
            ("a:=x", "`a` is no JSON"),
            ("a=1 a:=2", "`a` is given twice"),
        ] {
            let error = parameters(None, &words(bad)).expect_err(bad);
            assert_eq!(error.code(), Code::USAGE);
            assert!(error.message().contains(part), "{bad}: {error}");
        }
    }

    #[test]
    fn what_is_typed_takes_the_place_of_data() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "{\"a\": 1,\n \"b\": 2}\n").expect("it can be written");
        let data = format!("@{}", file.path().display());
        let given = parameters(Some(&data), &words("b=x c=y")).expect("good");
        let text = |text: &str| Given::Text(text.to_owned());
        let a = ("a".to_owned(), Given::Json(Entity::Int(1)));
        assert_eq!(given, [a, ("b".to_owned(), text("x")), ("c".to_owned(), text("y"))]);
        std::fs::write(file.path(), "[1]").expect("it can be written");
        for bad in [&data, "{}", "@/no/such/file"] {
            assert_eq!(parameters(Some(bad), &[]).expect_err(bad).code(), Code::USAGE);
        }
    }
}
