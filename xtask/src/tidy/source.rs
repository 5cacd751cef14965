//! Rust text in which code, comments and literals are told apart.
//!
//! No parser: a scan that knows strings, raw strings, characters, lifetimes and nested comments. What it must
//! never do is take a brace in a string for a brace of the code.

use std::ops::Range;

/// A Rust file. Its views have the length of the text, so an offset means the same place in each.
pub(crate) struct Source {
    /// The text with comments and literals blanked.
    pub(crate) code: String,
    /// The text with all but comments blanked.
    pub(crate) comments: String,
    line_starts: Vec<usize>,
    test_modules: Vec<Range<usize>>,
}

impl Source {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        let spans = spans(text);
        let code = masked(text, |kind| kind == Kind::Code, &spans);
        let comments = masked(text, |kind| kind == Kind::Comment, &spans);
        Self {
            line_starts: line_starts(text),
            test_modules: test_modules(&code),
            code,
            comments,
        }
    }

    /// The line of an offset, counted from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// The comments of lines `from..=to`, counted from 1.
    pub(crate) fn comment_lines(&self, from: usize, to: usize) -> &str {
        let end = self.line_starts.get(to).copied();
        &self.comments[self.line_starts[from - 1]..end.unwrap_or(self.comments.len())]
    }

    /// Whether an offset lies in a `#[cfg(test)]` module.
    pub(crate) fn is_test(&self, offset: usize) -> bool {
        self.test_modules
            .iter()
            .any(|range| range.contains(&offset))
    }

    /// The number of lines outside `#[cfg(test)]` modules.
    pub(crate) fn lines_without_tests(&self) -> usize {
        let of_tests = |range: &Range<usize>| self.line(range.end - 1) - self.line(range.start) + 1;
        self.lines() - self.test_modules.iter().map(of_tests).sum::<usize>()
    }

    /// The number of those lines that hold code: not only blanks, comments or the inside of a
    /// text.
    pub(crate) fn code_lines_without_tests(&self) -> usize {
        let mut offset = 0;
        let mut count = 0;
        for line in self.code.split_inclusive('\n') {
            let holds_code = !line.trim().is_empty();
            count += usize::from(holds_code && !self.is_test(offset));
            offset += line.len();
        }
        count
    }

    fn lines(&self) -> usize {
        // A text that ends with a newline has a last start with nothing behind it.
        let ends_open = self.line_starts.last() != Some(&self.code.len());
        self.line_starts.len() - usize::from(!ends_open)
    }

    /// The offsets of a word in the code.
    pub(crate) fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        words(&self.code, word)
    }
}

/// The offset of the brace that closes the one at `open`, when there is one.
pub(crate) fn closing_brace(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Whether a character can be part of a name.
pub(crate) fn is_name(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let offsets = code.match_indices(word).map(|(at, _)| at);
    offsets.filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

fn masked(text: &str, keeps: impl Fn(Kind) -> bool, spans: &[(Kind, Range<usize>)]) -> String {
    let mut masked = String::with_capacity(text.len());
    for (kind, range) in spans {
        let part = &text[range.clone()];
        if keeps(*kind) {
            masked.push_str(part);
        } else {
            let blank = |byte| if byte == b'\n' { '\n' } else { ' ' };
            masked.extend(part.bytes().map(blank));
        }
    }
    masked
}

/// The whole text, cut where its kind changes.
fn spans(text: &str) -> Vec<(Kind, Range<usize>)> {
    let mut spans = Vec::new();
    let (mut code_from, mut at) = (0, 0);
    while at < text.len() {
        let Some((kind, length)) = opaque(&text[at..]) else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        spans.push((Kind::Code, code_from..at));
        spans.push((kind, at..at + length));
        at += length;
        code_from = at;
    }
    spans.push((Kind::Code, code_from..text.len()));
    spans
}

/// The comment or literal that `rest` begins with, and its length in bytes.
fn opaque(rest: &str) -> Option<(Kind, usize)> {
    match rest.as_bytes()[0] {
        b'/' if rest.starts_with("//") => {
            Some((Kind::Comment, rest.find('\n').unwrap_or(rest.len())))
        }
        b'/' if rest.starts_with("/*") => Some((Kind::Comment, block_comment(rest))),
        b'"' => Some((Kind::Literal, quoted(rest, '"'))),
        b'r' => raw_string(rest).map(|length| (Kind::Literal, length)),
        b'\'' => character(rest).map(|length| (Kind::Literal, length)),
        _ => None,
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let tail = &rest.as_bytes()[at..];
        if tail.is_empty() {
            return rest.len();
        } else if tail.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if tail.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
}

/// The length of a literal that begins with `quote` and knows backslashes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// `r"…"` or `r#"…"#`; not `r#name`. No name can end in front of it: since edition 2021 the language keeps
/// every `name"` and `name#` for itself.
fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
    let body = rest[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let from = rest.len() - body.len();
    Some(
        body.find(&end)
            .map_or(rest.len(), |at| from + at + end.len()),
    )
}

/// `'x'` or `'\n'`; not a lifetime, whose first character no quote follows.
fn character(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1);
    let (_, first) = characters.next()?;
    let (at, second) = characters.next()?;
    match (first, second) {
        ('\\', _) => Some(quoted(rest, '\'')),
        (_, '\'') => Some(at + 1),
        _ => None,
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let after_newline = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(after_newline).collect()
}

/// The modules for tests, each from its attribute to its last brace.
fn test_modules(code: &str) -> Vec<Range<usize>> {
    let mut modules: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[cfg(") {
        let inside_last = modules.last().is_some_and(|last| last.contains(&start));
        if let (false, Some(end)) = (inside_last, test_module_end(&code[start..])) {
            modules.push(start..start + end);
        }
    }
    modules
}

fn test_module_end(item: &str) -> Option<usize> {
    let condition = item.strip_prefix("#[cfg(")?;
    if !condition.starts_with("test)") && !condition.starts_with("all(test") {
        return None;
    }
    let open = item.find('{')?;
    let is_module = words(&item[..open], "mod").next().is_some();
    if !is_module || item[..open].contains(';') {
        return None;
    }
    closing_brace(item, open).map(|close| close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::new(text).code.replace(' ', "")
    }

    #[test]
    fn braces_in_literals_and_comments_are_not_code() {
        for text in [
            r#"let a = "{ \" {";"#,
            r###"let a = r#"{ " {"#;"###,
            r##"let a = br#"{"#;"##,
            "let a = '{';",
            "let a = b'{';",
            r"let a = '\'';",
            r"let a = '\u{7b}';",
            "let a = /* { /* { */ } */ ;",
            "let a = ; // {",
        ] {
            let code = code(text);
            assert!(!code.contains(['{', '}', '"']), "{text} left {code}");
            assert!(code.starts_with("leta="), "{text} left {code}");
            assert!(code.ends_with(';'), "{text} left {code}");
        }
    }

    #[test]
    fn lifetimes_and_raw_names_are_code() {
        let text = "fn f<'a>(r#fn: &'a str, b: &'static str) { 'out: loop {} }";
        assert_eq!(Source::new(text).code, text);
    }

    #[test]
    fn views_keep_offsets_and_lines() {
        let text = "let ä = \"ö\n\"; // ü\nfn";
        let source = Source::new(text);
        assert_eq!(source.code.len(), text.len());
        assert_eq!(source.comments.len(), text.len());
        let at = source.words("fn").next().expect("the word is there");
        assert_eq!(source.line(at), 3);
        assert_eq!(source.comments.trim(), "// ü");
        assert_eq!(source.comment_lines(2, 2).trim(), "// ü");
        assert_eq!(source.comment_lines(3, 3), "  ");
    }

    #[test]
    fn a_word_is_not_found_within_a_name() {
        let source = Source::new("unsafe_code not_unsafe unsafe");
        assert_eq!(source.words("unsafe").collect::<Vec<_>>(), [23]);
    }

    #[test]
    fn lines_of_test_modules_do_not_count() {
        let source = Source::new("fn f() {}\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n");
        assert_eq!(source.lines_without_tests(), 2);
        assert!(source.is_test(40));
        assert!(!source.is_test(3));
    }

    #[test]
    fn a_module_that_is_not_for_tests_counts() {
        for text in [
            "#[cfg(not(test))]\nmod a {\n}\n",
            "#[cfg(test)]\nfn f() {\n}\n",
            "#[cfg(test)]\nmod tests; fn f() {}\n",
        ] {
            let source = Source::new(text);
            assert_eq!(source.lines_without_tests(), text.lines().count(), "{text}");
        }
    }
}
