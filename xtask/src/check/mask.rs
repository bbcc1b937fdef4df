//! Blanks out what only looks like code, so that braces and keywords can be counted.

/// The source with comments, strings and character literals replaced by blanks. Line breaks and
/// byte positions stay as they are. The source must be valid Rust.
pub(super) fn mask(source: &str) -> String {
    let mut scanner = Scanner {
        bytes: source.as_bytes(),
        at: 0,
        masked: Vec::with_capacity(source.len()),
    };
    while scanner.at < scanner.bytes.len() {
        scanner.step();
    }
    String::from_utf8(scanner.masked).unwrap_or_default()
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    masked: Vec<u8>,
}

impl Scanner<'_> {
    fn step(&mut self) {
        let rest = &self.bytes[self.at..];
        match rest {
            [b'/', b'/', ..] => self.blank(line_comment(rest)),
            [b'/', b'*', ..] => self.blank(block_comment(rest)),
            [b'"', ..] => self.blank(string(rest)),
            [b'\'', ..] => match character(rest) {
                Some(length) => self.blank(length),
                None => self.keep(1), // A lifetime.
            },
            [first, ..] if is_word(*first) => {
                let length = rest.iter().take_while(|byte| is_word(**byte)).count();
                let raw = raw_string(&rest[..length], &rest[length..]);
                self.keep(length);
                self.blank(raw);
            }
            _ => self.keep(1),
        }
    }

    fn keep(&mut self, length: usize) {
        self.masked.extend(&self.bytes[self.at..self.at + length]);
        self.at += length;
    }

    fn blank(&mut self, length: usize) {
        let end = (self.at + length).min(self.bytes.len());
        let blanks = self.bytes[self.at..end]
            .iter()
            .map(|byte| if *byte == b'\n' { b'\n' } else { b' ' });
        self.masked.extend(blanks);
        self.at = end;
    }
}

/// A byte of an identifier; all bytes of a character outside ASCII count as such.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn line_comment(rest: &[u8]) -> usize {
    rest.iter().take_while(|byte| **byte != b'\n').count()
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_u32;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    break;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != b'"' {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// The length of a character literal, or nothing when the quote begins a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    let first = *rest.get(1)?;
    if first == b'\\' {
        let tail = rest.get(3..)?;
        let closing = tail.iter().position(|byte| *byte == b'\'')?;
        return Some(closing + 4);
    }
    let width = match first {
        0x00..0x80 => 1,
        0x80..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0.. => 4,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

/// The length of what follows a prefix like `r` or `br`, when that is a raw string.
fn raw_string(prefix: &[u8], rest: &[u8]) -> usize {
    if ![&b"r"[..], b"br", b"cr"].contains(&prefix) {
        return 0;
    }
    let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
    if rest.get(hashes) != Some(&b'"') {
        return 0;
    }
    let mut end = vec![b'"'];
    end.extend(&rest[..hashes]);
    let body = &rest[hashes + 1..];
    let closing = body
        .windows(end.len())
        .position(|window| window == end)
        .unwrap_or(body.len());
    hashes + 1 + closing + end.len()
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn what_is_not_code_becomes_blank() {
        for (source, expected) in [
            ("a // { b\nc", "a       \nc"),
            ("a /* { /* } */ \n */ b", "a              \n    b"),
            (r#"f("{ \" fn x")"#, "f(           )"),
            (r##"f(r#"{ " fn"#)"##, "f(r          )"),
            ("b'{' '}' '\\'' '\\u{7d}' 'é'", "b                         "),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("r#type + r", "r#type + r"),
        ] {
            let masked = mask(source);
            assert_eq!(masked.trim_end(), expected.trim_end(), "{source}");
            assert_eq!(masked.len(), source.len(), "{source}");
        }
    }

    #[test]
    fn a_string_over_several_lines_keeps_its_lines() {
        assert_eq!(mask("\"a\n{\nb\";").lines().count(), 3);
    }
}
