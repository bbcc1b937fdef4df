//! Finds the functions of a source file and measures them.

use super::mask::is_word;

/// A function with a body, from the line of its `fn` to that of its closing brace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// Counted from one.
    pub(super) line: usize,
    /// Signature and braces included, and all that is nested in it.
    pub(super) lines: usize,
}

/// All functions of a masked source (see [`super::mask`]), nested ones and methods included, in
/// the order in which they begin. Declarations without a body and `fn(…)` types are left out.
pub(super) fn functions(masked: &str) -> Vec<Function> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((start, end)) = next_word(masked, at) {
        at = end;
        if &masked[start..end] != "fn" {
            continue;
        }
        let Some((name_start, name_end)) = next_word(masked, end) else {
            break;
        };
        if !masked[end..name_start].trim().is_empty() {
            continue; // A type: `fn(u8) -> u8`.
        }
        if let Some((_, close)) = body(masked, name_end) {
            found.push(Function {
                name: masked[name_start..name_end].to_owned(),
                line: line_of(masked, start),
                lines: line_of(masked, close) - line_of(masked, start) + 1,
            });
        }
        at = name_end;
    }
    found
}

/// The braces of the item that goes on at a position, or nothing when it ends with a semicolon
/// or the block around it ends first.
pub(super) fn body(masked: &str, from: usize) -> Option<(usize, usize)> {
    let mut depth = 0_i32;
    for (at, byte) in bytes_from(masked, from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some((at, closing(masked, at))),
            b';' | b'}' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn closing(masked: &str, open: usize) -> usize {
    let mut depth = 0_i32;
    for (at, byte) in bytes_from(masked, open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    masked.len().saturating_sub(1)
}

/// The number of the line that holds a byte, counted from one.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + bytes_from(&text[..at], 0)
        .filter(|(_, byte)| *byte == b'\n')
        .count()
}

fn next_word(masked: &str, from: usize) -> Option<(usize, usize)> {
    let (start, _) = bytes_from(masked, from).find(|(_, byte)| is_word(*byte))?;
    let end = bytes_from(masked, start)
        .find(|(_, byte)| !is_word(*byte))
        .map_or(masked.len(), |(at, _)| at);
    Some((start, end))
}

fn bytes_from(text: &str, from: usize) -> impl Iterator<Item = (usize, u8)> {
    text.bytes().enumerate().skip(from)
}

#[cfg(test)]
mod tests {
    use super::super::mask::mask;
    use super::functions;

    fn measured(source: &str) -> Vec<(String, usize, usize)> {
        functions(&mask(source))
            .into_iter()
            .map(|function| (function.name, function.line, function.lines))
            .collect()
    }

    #[test]
    fn methods_nested_functions_and_braces_in_strings() {
        let source = r#"
impl Thing {
    pub(crate) async fn outer<'a, T>(
        &'a self,
        call: fn(u8) -> u8,
    ) -> Result<[u8; 2], ()>
    where
        T: Fn() -> u8,
    {
        fn inner() { let brace = '}'; }
        let text = "} fn no(";
        // }
        Ok([1, 2])
    }

    fn short(&self) {}
}
"#;
        let expected = [("outer", 3, 12), ("inner", 10, 1), ("short", 16, 1)];
        assert_eq!(
            measured(source),
            expected.map(|(name, line, lines)| (name.to_owned(), line, lines))
        );
    }

    #[test]
    fn a_declaration_is_no_function_and_the_default_next_to_it_is() {
        let source =
            "trait T {\n    fn declared(&self) -> [u8; 4];\n    fn default(&self) {\n    }\n}";
        assert_eq!(measured(source), [("default".to_owned(), 3, 2)]);
    }

    #[test]
    fn a_name_that_begins_with_the_keyword_is_not_the_keyword() {
        assert_eq!(measured("let fnord = fn_name { x };"), []);
    }
}
