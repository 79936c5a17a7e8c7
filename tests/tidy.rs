//! Style as a test: what this project asks of its code and neither the compiler nor clippy sees.
//!
//! Every rule reads lines, not syntax trees: comments and texts are blanked first, and a violation
//! names its line and what to do. The idea is TigerBeetle's `tidy.zig`. Each rule is tried on a
//! small text below, so that none can pass because it looks at nothing.

#![allow(clippy::unwrap_used)] // A file of the repository that cannot be read fails the test, as it should.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of one function, its signature and closing brace included.
const FUNCTION_LINES_MAX: usize = 70;
/// Most lines of one file, its tests included.
const FILE_LINES_MAX: usize = 620;

/// The rooms that must come out the same at every bank, whatever the world around them does.
const PURE_ROOMS: [&str; 3] = ["src/protocol/", "src/ledger/", "src/watch/"];
/// Paths that a pure room does not name, and why.
const IMPURE_PATHS: [(&[&str], &str); 6] = [
    (
        &[
            "std::fs",
            "std::io",
            "std::net",
            "std::env",
            "std::process",
            "std::thread",
            "rusqlite",
            "log",
            "env_logger",
        ],
        "I/O in a pure room: push an Effect and let an actor do it",
    ),
    (
        &["std::time", "Instant", "SystemTime", "UNIX_EPOCH"],
        "time in a pure room: take `now: Millis` as an argument, or the date from the event",
    ),
    (
        &["getrandom", "rand", "uuid", "Uuid", "RandomState"],
        "randomness in a pure room: let the sender draw it and put it into the event",
    ),
    (
        &["async", "await", "futures_util", "tokio", "actix", "actix_rt", "actix_web", "awc"],
        "async or actix in a pure room: answer with an Effect; only actors await",
    ),
    (&["f32", "f64"], "floating point in a pure room: count in whole centavos or milliseconds"),
    (
        &[
            "crate::actors",
            "crate::cli",
            "crate::config",
            "crate::http",
            "crate::node",
            "crate::session",
            "crate::store",
            "crate::web",
            "crate::wire",
        ],
        "a pure room imports nothing of the node: hand over what it needs as an argument",
    ),
];
/// Macros that write where a pure room may not.
const PRINTING_MACROS: [&str; 4] = ["print!", "println!", "eprint!", "eprintln!"];

/// The only file of the pure rooms that may own hash maps, since it is only ever asked for single
/// keys; that nothing in its folder lists one is checked too.
const HASHES_BY_KEY_ONLY: &str = "src/ledger/book/mod.rs";
/// What would let the order of a hash map be seen.
const LISTING_METHODS: [&str; 10] = [
    "iter",
    "iter_mut",
    "keys",
    "values",
    "values_mut",
    "into_iter",
    "into_keys",
    "into_values",
    "drain",
    "retain",
];

/// Rooms from the door inward; none imports one that stands before it.
const ROOMS_INWARD: [&str; 5] = ["cli", "web", "http", "actors", "store"];

/// Where texts may be Portuguese: what customers read, and people who watch.
const PORTUGUESE_ROOMS: [&str; 6] = [
    "src/brazilian.rs",
    "src/cli/client/texts",
    "src/http/refusal",
    "src/http/texts.rs",
    "src/ledger/outcome",
    "src/web/",
];
const PORTUGUESE_LETTERS: &str = "áâãàéêíóôõúçÁÂÃÀÉÊÍÓÔÕÚÇ";

const LOCKS: [&str; 2] = ["Mutex", "RwLock"];
const VAGUE_NAMES: [&str; 7] =
    ["util", "utils", "helper", "helpers", "common", "manager", "managers"];
const LEFTOVER_MACROS: [&str; 3] = ["dbg!", "todo!", "unimplemented!"];
const LEFTOVER_WORDS: [&str; 3] = ["TODO", "FIXME", "XXX"];

#[test]
fn the_source_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    assert!(
        files.len() > 50,
        "only {} files under src: the rules look at the wrong place",
        files.len()
    );
    for room in PURE_ROOMS {
        assert!(root.join(room).is_dir(), "{room} has moved: correct PURE_ROOMS in tests/tidy.rs");
    }
    assert!(
        root.join(HASHES_BY_KEY_ONLY).is_file(),
        "{HASHES_BY_KEY_ONLY} has moved: correct tests/tidy.rs"
    );
    let sources: Vec<_> = files
        .iter()
        .map(|file| {
            let path = file.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            Source::new(&path, &fs::read_to_string(file).unwrap())
        })
        .collect();
    let violations = violations(&sources);
    assert!(
        violations.is_empty(),
        "{} violations of style:\n{}",
        violations.len(),
        violations.join("\n")
    );
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn violations(sources: &[Source]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for source in sources {
        let mut say = |line: usize, why: &str| {
            found.insert((source.path.clone(), line, why.to_owned()));
        };
        check_pure_room(source, &mut say);
        check_rooms_inward(source, &mut say);
        check_words(source, &mut say);
        check_language(source, &mut say);
        check_sizes(source, &mut say);
    }
    check_hashes_are_not_listed(sources, &mut |path, line, why| {
        found.insert((path.to_owned(), line, why));
    });
    found.into_iter().map(|(path, line, why)| format!("{path}:{line}: {why}")).collect()
}

/// One file with what the rules look at, line by line.
struct Source {
    path: String,
    /// Without comments, texts and characters.
    code: Vec<String>,
    comments: Vec<String>,
    texts: Vec<String>,
    /// Whether the line is compiled for tests only.
    is_test: Vec<bool>,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        let [code, comments, texts] = split(text);
        let code: Vec<_> = code.lines().map(str::to_owned).collect();
        let [comments, texts] =
            [comments, texts].map(|text| text.lines().map(str::to_owned).collect());
        let all_test = path.ends_with("/tests.rs") || path.contains("/tests/");
        let mut is_test = vec![all_test; code.len()];
        for start in (0..code.len()).filter(|line| code[*line].contains("#[cfg(test)]")) {
            is_test[start..=item_end(&code, start + 1)].fill(true);
        }
        Source { path: path.to_owned(), code, comments, texts, is_test }
    }

    fn is_pure(&self) -> bool {
        PURE_ROOMS.iter().any(|room| self.path.starts_with(room))
    }

    /// Lines outside tests, counted from 1.
    fn program(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.iter().enumerate().filter(|(index, _)| !self.is_test[*index]);
        lines.map(|(index, line)| (index + 1, line.as_str()))
    }

    /// Every path that a `use` outside tests brings in, written out, with the line where the `use`
    /// begins.
    fn imports(&self) -> Vec<(usize, String)> {
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

/// Separates code from comments, both with all line ends; texts and characters become blanks.
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

/// Where the comment, text or character that begins at `at` ends; one further for everything else.
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

/// The line, counted from 0, on which the item ends that begins on line `start`: at its closing
/// brace, or at a semicolon outside all brackets.
fn item_end(code: &[String], start: usize) -> usize {
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

fn is_word_char(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Whether a word or path stands in a line, not as a part of a longer word.
fn mentions(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let ends_open = word.ends_with('!');
        !before.is_some_and(is_word_char) && (ends_open || !after.is_some_and(is_word_char))
    })
}

fn check_pure_room(source: &Source, say: &mut impl FnMut(usize, &str)) {
    if !source.is_pure() {
        return;
    }
    let imports = source.imports();
    let imported = imports.iter().map(|(line, path)| (*line, path.as_str()));
    for (number, text) in source.program().chain(imported) {
        for (paths, what_to_do) in IMPURE_PATHS {
            for path in paths.iter().filter(|path| mentions(text, path)) {
                // A field or function may well be called `log`; only the crate is meant.
                let is_a_name = *path == "log" && !text.contains("log::") && text != "log";
                if !is_a_name {
                    say(number, &format!("`{path}`: {what_to_do}"));
                }
            }
        }
        for word in PRINTING_MACROS.iter().filter(|word| mentions(text, word)) {
            say(number, &format!("`{word}`: I/O in a pure room: push an Effect::Notice"));
        }
        for word in ["HashMap", "HashSet"].iter().filter(|word| mentions(text, word)) {
            if source.path != HASHES_BY_KEY_ONLY {
                say(
                    number,
                    &format!(
                        "`{word}`: its order differs from bank to bank: use BTreeMap, BTreeSet or Vec"
                    ),
                );
            }
        }
    }
}

/// The fields that are hash maps, found in the file that declares them, are listed nowhere in its
/// folder.
fn check_hashes_are_not_listed(sources: &[Source], say: &mut impl FnMut(&str, usize, String)) {
    let Some(owner) = sources.iter().find(|source| source.path == HASHES_BY_KEY_ONLY) else {
        return;
    };
    let is_hash = |line: &str| mentions(line, "HashMap") || mentions(line, "HashSet");
    let fields: Vec<_> = owner
        .program()
        .filter(|(_, line)| is_hash(line) && !line.contains("::new"))
        .filter_map(|(_, line)| {
            line.split_once(':').map(|(name, _)| name.trim().trim_start_matches("pub ").to_owned())
        })
        .filter(|name| !name.is_empty() && name.chars().all(is_word_char))
        .collect();
    let folder = HASHES_BY_KEY_ONLY.trim_end_matches("mod.rs");
    for source in sources.iter().filter(|source| source.path.starts_with(folder)) {
        // Calls may stand on the next line, so that the file is read as one.
        let whole: Vec<_> = source.program().collect();
        for (index, (number, line)) in whole.iter().enumerate() {
            let next = whole.get(index + 1).map_or("", |(_, next)| next.trim());
            let line =
                if next.starts_with('.') { format!("{line}{next}") } else { (*line).to_owned() };
            for field in &fields {
                let of_book = format!(".{field}");
                let listed = LISTING_METHODS
                    .iter()
                    .any(|method| line.contains(&format!("{of_book}.{method}(")));
                let looped = line.trim_start().starts_with("for ")
                    && line.trim_end().ends_with(&format!("{of_book} {{"));
                if listed || looped {
                    say(
                        &source.path,
                        *number,
                        format!("`{field}` is a hash map: list `accounts`, which is a vector"),
                    );
                }
            }
        }
    }
}

fn check_rooms_inward(source: &Source, say: &mut impl FnMut(usize, &str)) {
    let room = source.path.trim_start_matches("src/").split(['/', '.']).next().unwrap_or_default();
    let Some(place) = ROOMS_INWARD.iter().position(|other| *other == room) else { return };
    let imports = source.imports();
    let imported = imports.iter().map(|(line, path)| (*line, path.as_str()));
    for (number, text) in source.program().chain(imported) {
        for outer in
            ROOMS_INWARD[..place].iter().filter(|outer| mentions(text, &format!("crate::{outer}")))
        {
            say(
                number,
                &format!(
                    "`{room}` imports `{outer}`: dependencies run inward only; move what both need"
                ),
            );
        }
    }
}

fn check_words(source: &Source, say: &mut impl FnMut(usize, &str)) {
    for (index, line) in source.code.iter().enumerate() {
        for lock in LOCKS.iter().filter(|lock| mentions(line, lock)) {
            say(
                index + 1,
                &format!(
                    "`{lock}`: state is owned by one actor; send it a message instead of sharing"
                ),
            );
        }
        for word in LEFTOVER_MACROS.iter().filter(|word| mentions(line, word)) {
            say(index + 1, &format!("`{word}`: a leftover; finish it or take it out"));
        }
        let comment = &source.comments[index];
        // A pattern such as XX.XXX is no leftover.
        let words = comment.split(|char: char| !is_word_char(char) && char != '.');
        for word in words.filter(|word| LEFTOVER_WORDS.contains(&word.trim_matches('.'))) {
            say(index + 1, &format!("`{word}`: a leftover; do it now or open an issue"));
        }
    }
    for (number, line) in source.program() {
        if line.contains(".unwrap()") {
            say(
                number,
                "`.unwrap()`: hand the error on, or `expect` with the reason why it cannot be",
            );
        }
    }
}

fn check_sizes(source: &Source, say: &mut impl FnMut(usize, &str)) {
    let stems = source.path.split('/').map(|part| part.trim_end_matches(".rs"));
    for stem in stems.filter(|stem| VAGUE_NAMES.contains(stem)) {
        say(
            1,
            &format!(
                "a file or folder named `{stem}`: put each thing where the word lives that it belongs to"
            ),
        );
    }
    if source.code.len() > FILE_LINES_MAX {
        let lines = source.code.len();
        say(
            1,
            &format!(
                "{lines} lines, at most {FILE_LINES_MAX}: give a part of it a file and a name of its own"
            ),
        );
    }
    for (index, line) in source.code.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let lines = item_end(&source.code, index) - index + 1;
        if lines > FUNCTION_LINES_MAX {
            say(
                index + 1,
                &format!(
                    "fn {name} has {lines} lines, at most {FUNCTION_LINES_MAX}: split it by its steps"
                ),
            );
        }
    }
}

fn check_language(source: &Source, say: &mut impl FnMut(usize, &str)) {
    if PORTUGUESE_ROOMS.iter().any(|room| source.path.starts_with(room)) {
        return;
    }
    for (index, text) in source.texts.iter().enumerate() {
        if !source.is_test[index] && text.contains(|char| PORTUGUESE_LETTERS.contains(char)) {
            say(index + 1, "a Portuguese text outside its rooms: operators read English");
        }
    }
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let name = after.split(|char| !is_word_char(char)).next()?;
    (!before.ends_with(is_word_char) && !name.is_empty()).then_some(name)
}

fn found_in(path: &str, text: &str) -> Vec<String> {
    violations(&[Source::new(path, text)])
}

#[test]
fn what_a_pure_room_must_not_know_is_found() {
    for line in [
        "use std::fs;",
        "use std::{fmt, io::{self, Write}};",
        "let now = std::time::Instant::now();",
        "use std::{\n    collections::HashMap,\n};",
        "let seen: HashSet<u8>;",
        "use uuid::Uuid;",
        "async fn wait() {}",
        "use actix::Actor;",
        "log::info!(\"x\");",
        "println!(\"x\");",
        "let share: f64;",
        "use crate::{actors::clock, ledger};",
        "use crate::store::Store;",
    ] {
        for room in PURE_ROOMS {
            let path = format!("{room}part.rs");
            assert!(!found_in(&path, line).is_empty(), "{path} may say {line}");
            assert!(
                found_in(&path, &format!("#[cfg(test)]\nmod tests {{\n{line}\n}}")).is_empty(),
                "in tests: {line}"
            );
        }
        assert!(found_in("src/cli/part.rs", line).is_empty(), "outside the pure rooms: {line}");
    }
    let innocent = "// std::fs, async and HashMap in a comment\nlet text = \"std::fs await\"; let log = r#\"f64 \"uuid\"\"#;";
    assert!(found_in("src/ledger/part.rs", innocent).is_empty());
    assert!(
        found_in("src/ledger/part.rs", "let operand = random_key; let logged = '\"'; // \"")
            .is_empty()
    );
}

#[test]
fn a_hash_map_that_is_listed_is_found() {
    let owner = "struct Book {\n    customers: HashMap<A, B>,\n}";
    let look = |code: &str| {
        let part = Source::new("src/ledger/book/part.rs", code);
        violations(&[Source::new(HASHES_BY_KEY_ONLY, owner), part])
    };
    assert!(look("self.customers.get(&name)").is_empty());
    for listing in
        ["self.customers.values()", "self.customers\n    .iter()", "for entry in &self.customers {"]
    {
        assert_eq!(look(listing).len(), 1, "{listing}");
    }
}

#[test]
fn an_import_against_the_direction_of_the_rooms_is_found() {
    assert_eq!(found_in("src/store/sqlite.rs", "use crate::actors::time::unix_ms;").len(), 1);
    assert_eq!(found_in("src/actors/clock.rs", "use crate::{http::Bank, ledger};").len(), 1);
    assert!(found_in("src/http/mod.rs", "use crate::actors::node::Actors;").is_empty());
}

#[test]
fn locks_leftovers_and_unwrap_are_found_with_their_line() {
    let text = "use std::sync::{Arc, Mutex};\n\n// FIXME: later\nfn f() {\n    dbg!(1);\n    x.unwrap();\n}\n";
    let found = found_in("src/actors/clock.rs", text);
    let lines: Vec<_> = found.iter().filter_map(|line| line.split(':').nth(1)).collect();
    assert_eq!(lines, ["1", "3", "5", "6"], "{found:?}");
    let in_test = "#[cfg(test)]\nmod tests {\n    fn f() {\n        x.unwrap();\n    }\n}\n";
    assert!(found_in("src/actors/clock.rs", in_test).is_empty());
    assert!(
        found_in("src/ledger/customer.rs", "/// A CNPJ is XX.XXX.XXX/XXXX-00, in all: TODOS.")
            .is_empty()
    );
}

#[test]
fn a_portuguese_text_outside_its_rooms_is_found() {
    let said = "// visão\nlet text = \"a visão\";";
    assert_eq!(found_in("src/actors/clock.rs", said).len(), 1);
    assert!(found_in("src/web/bank/texts.rs", said).is_empty());
    let in_test = "#[cfg(test)]\nmod tests {\n    const SAID: &str = \"visão\";\n}\n";
    assert!(found_in("src/actors/clock.rs", in_test).is_empty());
}

#[test]
fn long_functions_long_files_and_vague_names_are_found() {
    let function = |lines: usize| {
        format!("fn long(\n) -> [u8; 2] {{\n{}}}\n", "    step();\n".repeat(lines - 3))
    };
    assert!(found_in("src/node.rs", &function(FUNCTION_LINES_MAX)).is_empty());
    let found = found_in("src/node.rs", &function(FUNCTION_LINES_MAX + 1));
    assert!(found.len() == 1 && found[0].contains("fn long has 71 lines"), "{found:?}");
    assert!(found_in("src/node.rs", &"\n".repeat(FILE_LINES_MAX)).is_empty());
    assert_eq!(found_in("src/node.rs", &"\n".repeat(FILE_LINES_MAX + 1)).len(), 1);
    for path in
        ["src/utils.rs", "src/http/helpers.rs", "src/common/money.rs", "src/actors/manager.rs"]
    {
        assert_eq!(found_in(path, "").len(), 1, "{path}");
    }
}
