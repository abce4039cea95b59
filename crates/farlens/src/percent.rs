//! `%XX` escapes, decoded exactly once and only at the edge where a person typed something.

use crate::{Code, Error, RemotePath, Result};

/// Writes text so that [`decode`] gives each component back, escaping `%`, controls, white space and
/// whatever `also` names. Other characters stay readable.
pub(crate) fn encode(text: &str, also: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '%' || c.is_control() || c.is_whitespace() || also.contains(&c) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Reads one component. A decoded `/` is refused: a component never holds one.
///
/// # Errors
///
/// A sentence that names the escape or the rule.
pub(crate) fn decode(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let decoded = rest.get(..2).and_then(hex_pair);
        out.push(decoded.ok_or_else(|| "a % needs two hexadecimal digits after it".to_owned())?);
        rest = &rest[2..];
    }
    let text = String::from_utf8(out).map_err(|_| "its escapes are not UTF-8".to_owned())?;
    if text.contains('/') {
        return Err("%2F stands inside a component, and no component holds a /".to_owned());
    }
    Ok(text)
}

fn hex_pair(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(digits[0])? * 16 + digit(digits[1])?;
    u8::try_from(value).ok()
}

/// Reads a path in which `%XX` may stand; nothing at all is the root.
pub(crate) fn decode_path(text: &str) -> Result<RemotePath> {
    if text.is_empty() {
        return Ok(RemotePath::root());
    }
    let components: Result<Vec<String>, String> = text.split('/').map(decode).collect();
    let components = components.map_err(|why| {
        Error::new(Code::BAD_ADDRESS, format!("the path is malformed: {why}"))
            .with_hint("write %25 for a % that belongs to a name")
    })?;
    RemotePath::new(&components.join("/"))
}

/// Writes a path so that [`decode_path`] gives it back.
pub(crate) fn encode_path(path: &RemotePath) -> String {
    encode(path.as_str(), &['#', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_escape_is_decoded_once() {
        assert_eq!(decode("%2e%2E").as_deref(), Ok(".."));
        assert_eq!(decode("%252e").as_deref(), Ok("%2e"));
        assert_eq!(decode("%C3%A4").as_deref(), Ok("ä"));
    }

    #[test]
    fn broken_escapes_are_named() {
        for (text, part) in
            [("%", "two"), ("a%4", "two"), ("%+1", "two"), ("%ff", "UTF-8"), ("%2F", "%2F")]
        {
            assert!(decode(text).expect_err(text).contains(part), "{text}");
        }
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(text in "[^/]*") {
            prop_assert_eq!(decode(&encode(&text, &['#', '*'])), Ok(text));
        }

        #[test]
        fn decoding_never_panics(text in ".*") {
            let _ = decode(&text);
        }
    }
}
