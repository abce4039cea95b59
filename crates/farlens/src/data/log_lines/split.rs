//! Where a line ends.

/// The longest line, in bytes, with a `\r` at its end and without the `\n`.
pub(super) const LINE_BYTES: usize = 64 * 1024;

/// A line at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Bytes of its text.
    pub(super) text: usize,
    /// Bytes until the next line.
    pub(super) next: usize,
}

/// The first line of `bytes`; `None` as long as it is not whole. With `last`, nothing follows these
/// bytes, so what has no newline is a line, too.
pub(super) fn first_line(bytes: &[u8], last: bool) -> Option<Line> {
    let reach = &bytes[..bytes.len().min(LINE_BYTES + 1)];
    if let Some(newline) = reach.iter().position(|&byte| byte == b'\n') {
        let text = reach[..newline].strip_suffix(b"\r").map_or(newline, <[u8]>::len);
        return Some(Line { text, next: newline + 1 });
    }
    if bytes.len() > LINE_BYTES {
        let cut = cut_before(bytes);
        return Some(Line { text: cut, next: cut });
    }
    let rest = bytes.len();
    (last && rest > 0).then_some(Line { text: rest, next: rest })
}

/// Where to cut a line that is too long: not within a character, if it consists of such.
fn cut_before(bytes: &[u8]) -> usize {
    let begins_character = |&place: &usize| bytes[place] & 0b1100_0000 != 0b1000_0000;
    (LINE_BYTES - 3..=LINE_BYTES).rev().find(begins_character).unwrap_or(LINE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut lines = Vec::new();
        while let Some(line) = first_line(bytes, true) {
            lines.push(&bytes[..line.text]);
            bytes = &bytes[line.next..];
        }
        lines
    }

    #[test]
    fn a_line_ends_with_its_newline_and_the_last_one_with_the_file() {
        let expected: [&[u8]; 5] = [b"a", b"", b"b", b"c\rd", b"\r"];
        assert_eq!(lines(b"a\n\r\nb\r\nc\rd\n\r"), expected);
        assert_eq!(first_line(b"a", false), None);
        assert_eq!(first_line(b"", true), None);
        assert_eq!(lines(b"a\n"), [b"a"]);
    }

    #[test]
    fn a_long_line_is_cut_and_goes_on_as_the_next() {
        let mut content = vec![b'x'; LINE_BYTES];
        content.push(b'\n');
        assert_eq!(lines(&content), [&content[..LINE_BYTES]], "not too long");
        assert_eq!(first_line(&content[..LINE_BYTES], false), None, "not known yet");
        let content = vec![b'x'; 2 * LINE_BYTES + 5];
        assert_eq!(
            lines(&content).iter().map(|line| line.len()).collect::<Vec<_>>(),
            [LINE_BYTES, LINE_BYTES, 5]
        );
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        for (character, ahead) in [("ä", 1), ("€", 1), ("€", 2), ("𝄞", 1), ("𝄞", 2), ("𝄞", 3)]
        {
            let mut content = "x".repeat(LINE_BYTES - ahead);
            content.push_str(character);
            content.push_str("yz");
            let cut = lines(content.as_bytes());
            assert_eq!(cut[0].len(), LINE_BYTES - ahead, "{character}");
            assert!(std::str::from_utf8(cut[1]).is_ok());
        }
        let no_text = vec![0x80; LINE_BYTES + 1];
        assert_eq!(lines(&no_text)[0].len(), LINE_BYTES);
    }
}
