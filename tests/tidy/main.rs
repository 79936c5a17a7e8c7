//! Style as a test: what this project asks of its code that neither the compiler nor clippy checks.
//!
//! Every rule reads lines, not syntax trees: comments and string literals are blanked first, and a
//! violation names its line and what to do. The idea is from TigerBeetle's `tidy.zig`. Each rule is
//! tried on a small text below, so that none can pass because it looks at nothing.

#![allow(clippy::unwrap_used)] // A file that cannot be read fails the test, as it should.

mod rooms;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use source::{Source, is_word_char, item_end, mentions};

/// Most lines of one function, its signature and closing brace included.
const FUNCTION_LINES_MAX: usize = 70;
/// Most lines of one file, its tests included.
const FILE_LINES_MAX: usize = 600;
/// Longest line. A string literal is not broken, so that it can be searched for; nor is a row of a
/// table.
const LINE_CHARS_MAX: usize = 100;

/// The rooms that must give the same results at every bank, whatever the world around them does.
const PURE_ROOMS: [&str; 3] = ["src/protocol/", "src/ledger/", "src/watch/"];
/// Paths that a pure room must not name, and why.
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

/// Containers whose order differs from bank to bank.
const HASHES: [&str; 3] = ["HashMap", "HashSet", "HashTable"];
/// The only file of the pure rooms that may own hash tables, since they are only ever asked for
/// single keys; that nothing in its folder lists one is checked too.
const HASHES_BY_KEY_ONLY: &str = "src/ledger/book/index.rs";
/// Methods that would reveal the order of a hash map.
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

/// Where texts may be Portuguese: what customers read, and people who watch the consortium.
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
    ["src", "tests", "examples"]
        .iter()
        .for_each(|folder| rust_files(&root.join(folder), &mut files));
    assert!(
        files.len() > 50,
        "only {} files under src: the rules look at the wrong place",
        files.len()
    );
    for room in PURE_ROOMS {
        assert!(
            root.join(room).is_dir(),
            "{room} has moved: correct PURE_ROOMS in tests/tidy/main.rs"
        );
    }
    assert!(
        root.join(HASHES_BY_KEY_ONLY).is_file(),
        "{HASHES_BY_KEY_ONLY} has moved: correct tests/tidy/main.rs"
    );
    let sources: Vec<_> = files
        .iter()
        .map(|file| {
            let path = file.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            Source::new(&path, &fs::read_to_string(file).unwrap())
        })
        .collect();
    let mut violations = violations(&sources);
    violations.extend(rooms::violations(root, &sources));
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
        if source.path.starts_with("src/") {
            check_words(source, &mut say);
        }
        check_language(source, &mut say);
        check_sizes(source, &mut say);
    }
    check_hashes_are_not_listed(sources, &mut |path, line, why| {
        found.insert((path.to_owned(), line, why));
    });
    check_public_is_used(sources, &mut |path, line, why| {
        found.insert((path.to_owned(), line, why));
    });
    found.into_iter().map(|(path, line, why)| format!("{path}:{line}: {why}")).collect()
}

fn check_pure_room(source: &Source, say: &mut impl FnMut(usize, &str)) {
    if !PURE_ROOMS.iter().any(|room| source.path.starts_with(room)) {
        return;
    }
    let imports = source.imports();
    let imported = imports.iter().map(|(line, path)| (*line, path.as_str()));
    for (number, text) in source.program().chain(imported) {
        for (paths, what_to_do) in IMPURE_PATHS {
            for path in paths.iter().filter(|path| mentions(text, path)) {
                // A field or function may well be called `log`; only the crate is meant.
                let is_a_name = *path == "log" && !text.contains("log::") && text != "log";
                let is_hasher = *path == "RandomState" && source.path == HASHES_BY_KEY_ONLY;
                if !is_a_name && !is_hasher {
                    say(number, &format!("`{path}`: {what_to_do}"));
                }
            }
        }
        for word in PRINTING_MACROS.iter().filter(|word| mentions(text, word)) {
            say(number, &format!("`{word}`: I/O in a pure room: push an Effect::Notice"));
        }
        for word in HASHES.iter().filter(|word| mentions(text, word)) {
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

/// Checks that the fields that are hash maps, found in the file that declares them, are listed
/// nowhere in its folder.
fn check_hashes_are_not_listed(sources: &[Source], say: &mut impl FnMut(&str, usize, String)) {
    let Some(owner) = sources.iter().find(|source| source.path == HASHES_BY_KEY_ONLY) else {
        return;
    };
    let is_hash = |line: &str| HASHES.iter().any(|word| mentions(line, word));
    let fields: Vec<_> = owner
        .program()
        .filter(|(_, line)| is_hash(line) && !line.contains("::new"))
        .filter_map(|(_, line)| {
            line.split_once(':').map(|(name, _)| name.trim().trim_start_matches("pub ").to_owned())
        })
        .filter(|name| !name.is_empty() && name.chars().all(is_word_char))
        .collect();
    let folder = HASHES_BY_KEY_ONLY.trim_end_matches("index.rs");
    for source in sources.iter().filter(|source| source.path.starts_with(folder)) {
        // Calls may stand on the next line, so the file is read as a whole.
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

/// Checks that public functions and constants are named outside the library: by a test, an
/// example, the binary or a document of the code. For types, the compiler says where they are
/// needed.
fn check_public_is_used(sources: &[Source], say: &mut impl FnMut(&str, usize, String)) {
    let is_outside = |path: &str| !path.starts_with("src/") || path == "src/main.rs";
    let outside = sources.iter().filter(|source| is_outside(&source.path)).flat_map(|s| &s.code);
    let examples = |comment: &&String| comment.trim_end().ends_with(';');
    let documents = sources.iter().flat_map(|source| &source.comments).filter(examples);
    let words: BTreeSet<_> =
        outside.chain(documents).flat_map(|line| line.split(|char| !is_word_char(char))).collect();
    for source in sources.iter().filter(|source| !is_outside(&source.path)) {
        for (number, line) in source.program() {
            let Some(item) = line.trim_start().strip_prefix("pub ") else { continue };
            let is_value =
                ["fn ", "const ", "static ", "async "].iter().any(|kind| item.starts_with(kind));
            let is_keyword = |word: &&str| ["fn", "const", "static", "async"].contains(word);
            let name = item.split(|char| !is_word_char(char)).find(|word| !is_keyword(word));
            let name = name.filter(|_| is_value);
            if let Some(name) = name.filter(|name| !words.contains(name)) {
                say(
                    &source.path,
                    number,
                    format!("`{name}`: `pub(crate)`; nobody outside uses it"),
                );
            }
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
        // A pattern such as XX.XXX is not a leftover.
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
    for (index, line) in source.lines.iter().enumerate() {
        let is_table =
            line.trim_start().trim_start_matches(['/', '!']).trim_start().starts_with('|');
        let is_exempt = is_table || source.has_text(index);
        if line.chars().count() > LINE_CHARS_MAX && !is_exempt {
            say(index + 1, &format!("longer than {LINE_CHARS_MAX} characters: break it"));
        }
    }
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
    let is_portuguese = PORTUGUESE_ROOMS.iter().any(|room| source.path.starts_with(room));
    if is_portuguese || !source.path.starts_with("src/") {
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
    let owner = "struct Index {\n    customers: Vec<HashTable<A>>,\n}";
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
fn public_items_not_used_outside_are_found() {
    let library = "pub fn used() {}\npub const fn unused() {}\npub const LIMIT: u8 = 1;\npub(crate) fn own() {}\n";
    let look = |path: &str, code: &str| {
        violations(&[Source::new("src/node.rs", library), Source::new(path, code)])
    };
    let found = look("tests/store/main.rs", "used(LIMIT);");
    assert!(found.len() == 1 && found[0].contains("`unused`"), "{found:?}");
    assert_eq!(look("src/http/mod.rs", "used(); unused();").len(), 3);
    assert!(look("src/http/mod.rs", "//! used(LIMIT);\n//! unused();").is_empty());
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
