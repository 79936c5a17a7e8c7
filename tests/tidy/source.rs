//! A source file as the rules look at it: code and comments separated, tests marked.

/// One file with what the rules look at, line by line.
pub(crate) struct Source {
    pub(crate) path: String,
    /// The code, without comments, string literals and character literals.
    pub(crate) code: Vec<String>,
    pub(crate) comments: Vec<String>,
    pub(crate) texts: Vec<String>,
    /// Whether the line is compiled for tests only.
    pub(crate) is_test: Vec<bool>,
    /// The lines as they stand.
    pub(crate) lines: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Source {
        let [code, comments, texts] = split(text);
        let code: Vec<_> = code.lines().map(str::to_owned).collect();
        let [comments, texts] =
            [comments, texts].map(|text| text.lines().map(str::to_owned).collect());
        let all_test = path.ends_with("/tests.rs") || path.contains("/tests/");
        let mut is_test = vec![all_test; code.len()];
        for start in (0..code.len()).filter(|line| code[*line].contains("#[cfg(test)]")) {
            is_test[start..=item_end(&code, start + 1)].fill(true);
        }
        let lines = text.lines().map(str::to_owned).collect();
        Source { path: path.to_owned(), code, comments, texts, is_test, lines }
    }

    /// Whether a line has a string literal on it, or a part of one: what is blanked in the code and
    /// is not a comment.
    pub(crate) fn has_text(&self, line: usize) -> bool {
        let written = |line: &str| line.split_whitespace().map(str::len).sum::<usize>();
        written(&self.lines[line]) > written(&self.code[line]) + written(&self.comments[line])
            || self.comments[line].contains('"')
    }

    /// Lines outside tests, counted from 1.
    pub(crate) fn program(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.iter().enumerate().filter(|(index, _)| !self.is_test[*index]);
        lines.map(|(index, line)| (index + 1, line.as_str()))
    }

    /// Every path that a `use` outside tests brings in, written out in full, with the line where
    /// the `use` begins.
    pub(crate) fn imports(&self) -> Vec<(usize, String)> {
        let mut imports = Vec::new();
        for (number, line) in self.program() {
            let start = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "];
            let Some(first) = start.iter().find_map(|start| line.trim_start().strip_prefix(start))
            else {
                continue;
            };
            let rest = self.code[number..].iter().map(String::as_str);
            let whole: String = std::iter::once(first).chain(rest).collect::<Vec<_>>().join(" ");
            let tree: String =
                whole.split(';').next().unwrap_or_default().split_whitespace().collect();
            imports.extend(written_out(&tree).into_iter().map(|path| (number, path)));
        }
        imports
    }
}

/// `a::{b,c::{d,e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn written_out(tree: &str) -> Vec<String> {
    let Some((prefix, group)) = tree.split_once('{') else { return vec![tree.to_owned()] };
    let group = group.strip_suffix('}').unwrap_or(group);
    let mut depth = 0;
    let branches = group.split(|char| {
        depth += i32::from(char == '{') - i32::from(char == '}');
        char == ',' && depth == 0
    });
    let branches = branches.filter(|branch| !branch.is_empty());
    branches.flat_map(written_out).map(|branch| format!("{prefix}{branch}")).collect()
}

/// Separates code from comments, both with all line ends; string and character literals become
/// blanks.
fn split(text: &str) -> [String; 3] {
    let chars: Vec<char> = text.chars().collect();
    let [mut code, mut comments, mut texts] = <[String; 3]>::default();
    let mut at = 0;
    while at < chars.len() {
        let end = token_end(&chars, at);
        let is_comment = chars[at] == '/' && matches!(chars.get(at + 1), Some('/' | '*'));
        let is_code = end == at + 1;
        for char in &chars[at..end] {
            let line_end = *char == '\n';
            code.push(if is_code || line_end { *char } else { ' ' });
            comments.push(if is_comment || line_end { *char } else { ' ' });
            texts.push(if line_end || !(is_code || is_comment) { *char } else { ' ' });
        }
        at = end;
    }
    [code, comments, texts]
}

/// Where the comment, string or character literal that begins at `at` ends; `at` plus one for
/// everything else.
fn token_end(chars: &[char], at: usize) -> usize {
    let next = |ahead: usize| chars.get(at + ahead).copied().unwrap_or('\0');
    let find = |from: usize, what: &[char]| {
        let here = (from..chars.len()).find(|index| chars[*index..].starts_with(what));
        here.map_or(chars.len(), |index| index + what.len())
    };
    let begins_word = at == 0 || !is_word_char(chars[at - 1]);
    match chars[at] {
        '/' if next(1) == '/' => {
            (at..chars.len()).find(|index| chars[*index] == '\n').unwrap_or(chars.len())
        }
        '/' if next(1) == '*' => find(at + 2, &['*', '/']),
        '"' => text_end(chars, at + 1, '"'),
        'r' if begins_word || chars[at - 1] == 'b' => {
            let hashes = (1..).take_while(|ahead| next(*ahead) == '#').count();
            if next(1 + hashes) != '"' {
                return at + 1;
            }
            let close: Vec<char> =
                std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            find(at + 2 + hashes, &close)
        }
        '\'' if next(1) == '\\' => text_end(chars, at + 1, '\''),
        '\'' if next(2) == '\'' => at + 3,
        _ => at + 1,
    }
}

fn text_end(chars: &[char], from: usize, close: char) -> usize {
    let mut at = from;
    while at < chars.len() && chars[at] != close {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The line, counted from 0, on which the item that begins on line `start` ends: at its closing
/// brace, or at a semicolon outside all brackets.
pub(crate) fn item_end(code: &[String], start: usize) -> usize {
    let (mut braces, mut brackets) = (0, 0);
    for (index, line) in code.iter().enumerate().skip(start) {
        for char in line.chars() {
            match char {
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets -= 1,
                '{' => braces += 1,
                '}' if braces == 1 => return index,
                '}' => braces -= 1,
                ';' if braces == 0 && brackets == 0 => return index,
                _ => {}
            }
        }
    }
    code.len().saturating_sub(1)
}

pub(crate) fn is_word_char(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Whether a word or path occurs in a line, but not as part of a longer word.
pub(crate) fn mentions(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let ends_open = word.ends_with('!');
        !before.is_some_and(is_word_char) && (ends_open || !after.is_some_and(is_word_char))
    })
}
