//! What documents promise and a program can check: links lead somewhere, and the READMEs in both
//! languages tell a reader to type the same commands.

#![allow(clippy::unwrap_used)] // A document that cannot be read fails the test, as it should.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders whose pages are read; below the root only these.
const FOLDERS: [&str; 3] = ["", "docs", ".github/ISSUE_TEMPLATE"];

#[test]
fn every_link_of_a_document_leads_to_a_file_and_a_heading_that_are_there() {
    let pages = pages();
    assert!(pages.len() > 10, "only {} documents: the test looks at the wrong place", pages.len());
    let mut links = 0;
    let mut dead = Vec::new();
    for (path, text) in &pages {
        for link in links_of(text) {
            links += 1;
            if let Some(why) = is_dead(path, &link, &pages) {
                dead.push(format!("{}: {link}: {why}", path.display()));
            }
        }
    }
    assert!(links > 50, "only {links} links are seen");
    assert!(dead.is_empty(), "{} links lead nowhere:\n{}", dead.len(), dead.join("\n"));
}

#[test]
fn the_map_shows_every_room() {
    let map = include_str!("../ARCHITECTURE.md");
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_named =
            map.contains(&format!("`src/{name}/`")) || map.contains(&format!("`src/{name}.rs`"));
        // `lib.rs` is the same map in short.
        assert!(
            name == "lib" || is_named,
            "ARCHITECTURE.md does not say what {} is",
            path.display()
        );
    }
}

/// The table `Where is …?` must not send a reader to something that has moved.
#[test]
fn the_map_names_files_and_functions_that_are_there() {
    let map = include_str!("../ARCHITECTURE.md");
    let (_, table) = map.split_once("### Where is …?").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let mut functions = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")) {
        let names: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        let files = names.iter().filter(|name| name.starts_with("src/") && name.ends_with(".rs"));
        let source: String =
            files.map(|file| fs::read_to_string(root().join(file)).expect(file)).collect();
        for (owner, function) in names.iter().filter_map(|name| name.split_once("::")) {
            functions += 1;
            assert!(
                source.contains(&format!("fn {function}(")),
                "{owner}::{function} is not there: {row}"
            );
        }
    }
    assert!(functions > 5, "only {functions} functions are named");
}

#[test]
fn both_readmes_tell_a_reader_to_type_the_same_commands() {
    let english = commands(include_str!("../README.md"));
    let portuguese = commands(include_str!("../README.pt-BR.md"));
    assert!(english.len() >= 4, "{english:?}");
    assert_eq!(english, portuguese);
}

#[test]
fn the_readme_is_short_enough_to_be_read() {
    for (name, text) in [
        ("README.md", include_str!("../README.md")),
        ("README.pt-BR.md", include_str!("../README.pt-BR.md")),
    ] {
        let lines = text.lines().count();
        assert!(
            lines <= 160,
            "{name} has {lines} lines: what not every reader needs belongs into docs/"
        );
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All documents by their path from the root.
fn pages() -> BTreeMap<PathBuf, String> {
    let in_folder = |folder: &str| {
        fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path())
    };
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let read = |path: PathBuf| {
        (path.strip_prefix(root()).unwrap().to_owned(), fs::read_to_string(&path).unwrap())
    };
    FOLDERS.iter().flat_map(|folder| in_folder(folder)).filter(is_page).map(read).collect()
}

/// A text without its fenced blocks and code spans, inside which a link is not a link.
fn prose(text: &str) -> String {
    let outside = text.split("```").step_by(2).collect::<String>();
    outside.split('`').step_by(2).collect()
}

/// Where the links of a text lead: `](target)`, and `[name]: target` at the beginning of a line.
/// Those to other hosts are left out.
fn links_of(text: &str) -> Vec<String> {
    let prose = prose(text);
    let inline =
        prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let named = prose
        .lines()
        .filter(|line| line.starts_with('['))
        .filter_map(|line| line.split_once("]: "));
    let targets = inline.chain(named.map(|(_, target)| target));
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// Why a link of a page leads nowhere, if it does.
fn is_dead(page: &Path, link: &str, pages: &BTreeMap<PathBuf, String>) -> Option<String> {
    let (file, heading) =
        link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let target = if file.is_empty() { page.to_owned() } else { beside(page, file) };
    if !root().join(&target).exists() {
        return Some("there is no such file".into());
    }
    let heading = heading?;
    let Some(text) = pages.get(&target) else { return Some("only documents have headings".into()) };
    let is_there = headings(text).any(|found| anchor(found) == heading);
    if is_there { None } else { Some("there is no such heading".into()) }
}

/// A path that is given from a page's own folder.
fn beside(page: &Path, file: &str) -> PathBuf {
    let mut path = page.parent().unwrap().to_owned();
    for part in file.split('/') {
        match part {
            ".." => assert!(path.pop(), "{}: {file} leads out of the repository", page.display()),
            "." => {}
            part => path.push(part),
        }
    }
    path
}

fn headings(text: &str) -> impl Iterator<Item = &str> {
    let is_heading =
        |line: &&str| line.starts_with('#') && line.trim_start_matches('#').starts_with(' ');
    text.split("```")
        .step_by(2)
        .flat_map(str::lines)
        .filter(is_heading)
        .map(|line| line.trim_start_matches('#').trim())
}

/// A heading as GitHub makes an anchor of it.
fn anchor(heading: &str) -> String {
    let kept =
        heading.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// What a reader types: the blocks of shell commands, without the comments that each language has
/// in its own words.
fn commands(readme: &str) -> Vec<String> {
    let blocks = readme.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let typed = |line: &&str| !line.trim_start().starts_with('#');
    blocks.map(|block| block.lines().filter(typed).collect::<Vec<_>>().join("\n")).collect()
}

#[test]
fn links_headings_and_commands_are_seen_as_a_reader_sees_them() {
    let text = "# A `b` c?\n[x](y.md#z) `[no](link)`\n```bash\n# one\ncargo test\n# [no](link)\n```\n[w]: v.md\n[h](https://h)\n";
    assert_eq!(links_of(text), ["y.md#z", "v.md"]);
    assert_eq!(headings(text).map(anchor).collect::<Vec<_>>(), ["a-b-c"]);
    assert_eq!(commands(text), ["cargo test"]);
    let pages = BTreeMap::from([(PathBuf::from("docs/api.md"), String::from("# One two"))]);
    let dead = |link: &str| is_dead(Path::new("docs/api.md"), link, &pages).is_some();
    assert_eq!(
        (dead("../README.md"), dead("README.md"), dead("#one-two"), dead("#one")),
        (false, true, false, true)
    );
}
