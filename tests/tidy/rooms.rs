//! Who may import whom: the rooms, in the order of the map in ARCHITECTURE.md, and no two files
//! that need each other.
//!
//! To the language, a module and what lies within it are one, and so they are here: a file may name
//! what stands in the module that it is part of, and that module may name what stands in the file.
//! If any other files name each other, even indirectly, one of them has something that belongs
//! elsewhere. Only the actors may do so: each knows the routes, which know all actors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::source::Source;

/// Where the rooms stand in order.
const MAP: &str = "ARCHITECTURE.md";
/// Files that may need each other.
const WIRING: &str = "src/actors/";

/// Where a module's text stands: `src/a/b.rs` and `src/a/b/mod.rs` are `[a, b]`.
type Module = Vec<String>;
/// What each module imports, with the line.
type Imports = BTreeMap<Module, BTreeMap<Module, usize>>;

pub(crate) fn violations(root: &Path, sources: &[Source]) -> Vec<String> {
    let map = fs::read_to_string(root.join(MAP)).unwrap();
    let floors = floors(&map);
    let sources: Vec<_> = sources.iter().filter(|source| source.path.starts_with("src/")).collect();
    let imports = imports(&sources);
    let mut found: Vec<_> = against_the_floors(&floors, &imports).collect();
    found.extend(rooms_off_the_map(&floors, &imports));
    found.extend(in_cycles(&imports));
    found
}

/// The floor of each room in the first column of the map's table of rooms, counted from the top.
fn floors(map: &str) -> BTreeMap<String, usize> {
    let rows = map.lines().filter(|line| line.starts_with("| `src/"));
    let first_column = |row: &str| row.split('|').nth(1).unwrap_or_default().to_owned();
    let rooms = |(floor, column): (usize, String)| {
        let names = column.split('`').filter_map(|name| name.strip_prefix("src/"));
        let names = names.map(|name| name.trim_end_matches(['/', '\n']).trim_end_matches(".rs"));
        names.map(|name| (name.to_owned(), floor)).collect::<Vec<_>>()
    };
    rows.map(first_column).enumerate().flat_map(rooms).collect()
}

fn module_of(path: &str) -> Module {
    let stem = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Module = stem.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    if module == ["lib"] { Vec::new() } else { module }
}

fn imports(sources: &[&Source]) -> Imports {
    let modules: BTreeSet<_> = sources.iter().map(|source| module_of(&source.path)).collect();
    let mut imports = Imports::new();
    for source in sources {
        let me = module_of(&source.path);
        let of_me: &mut BTreeMap<_, _> = imports.entry(me.clone()).or_default();
        let inline =
            source.program().flat_map(|(line, text)| paths(text).map(move |path| (line, path)));
        for (line, path) in source.imports().into_iter().chain(inline) {
            let named = resolve(&path, &me, &modules).filter(|named| !is_within(named, &me));
            if let Some(named) = named.filter(|named| !is_within(&me, named)) {
                of_me.entry(named).or_insert(line);
            }
        }
    }
    imports
}

/// The paths that stand in a line of code.
fn paths(line: &str) -> impl Iterator<Item = String> {
    let words = line.split(|char: char| !(char.is_alphanumeric() || char == '_' || char == ':'));
    words.filter(|word| word.contains("::")).map(str::to_owned)
}

/// The module that a path leads into, as seen from a module; `None` if it belongs to another crate.
fn resolve(path: &str, me: &Module, modules: &BTreeSet<Module>) -> Option<Module> {
    let mut steps = path.split("::").peekable();
    let mut at = me.clone();
    match *steps.peek()? {
        "crate" => {
            at.clear();
            steps.next();
        }
        "self" => _ = steps.next(),
        "super" => {
            while steps.next_if_eq(&"super").is_some() {
                at.pop();
            }
        }
        first => {
            at.push(first.to_owned());
            if !modules.contains(&at) {
                return None;
            }
            at.pop();
        }
    }
    let mut longest = modules.contains(&at).then(|| at.clone());
    for step in steps {
        at.push(step.to_owned());
        if modules.contains(&at) {
            longest = Some(at.clone());
        }
    }
    longest
}

/// Whether a module is another one or a part of it. The whole crate does not count as a module
/// here.
fn is_within(part: &Module, whole: &Module) -> bool {
    part.starts_with(whole) && !whole.is_empty() || part == whole
}

fn file(module: &Module) -> String {
    format!("src/{}", module.join("/"))
}

fn against_the_floors<'a>(
    floors: &'a BTreeMap<String, usize>,
    imports: &'a Imports,
) -> impl Iterator<Item = String> + 'a {
    let floor = |module: &Module| module.first().and_then(|room| floors.get(room));
    let each = imports.iter().flat_map(|(me, named)| named.iter().map(move |to| (me, to)));
    each.filter(move |(me, (named, _))| {
        me.first() != named.first() && floor(me).zip(floor(named)).is_some_and(|(me, to)| to <= me)
    })
    .map(|(me, (named, line))| {
        let (me, named) = (file(me), file(named));
        format!("{me}:{line}: imports {named}, which {MAP} does not draw below it")
    })
}

fn rooms_off_the_map<'a>(
    floors: &'a BTreeMap<String, usize>,
    imports: &'a Imports,
) -> impl Iterator<Item = String> + 'a {
    let rooms: BTreeSet<_> = imports.keys().filter_map(|module| module.first()).collect();
    let missing = rooms.into_iter().filter(|room| !floors.contains_key(*room));
    missing.map(|room| format!("src/{room}: no row of {MAP}'s table of rooms has it"))
}

/// What is left when modules that import nothing that is left, or that nobody imports, are removed
/// again and again.
fn in_cycles(imports: &Imports) -> Vec<String> {
    let is_wiring = |module: &Module| format!("{}/", file(module)).starts_with(WIRING);
    let mut left: BTreeSet<_> = imports.keys().filter(|module| !is_wiring(module)).collect();
    loop {
        let goes_on = |module: &&Module| imports[*module].keys().any(|named| left.contains(named));
        let named: BTreeSet<_> = left.iter().flat_map(|module| imports[*module].keys()).collect();
        let tied = left.iter().filter(|module| goes_on(module) && named.contains(*module));
        let tied: BTreeSet<_> = tied.copied().collect();
        if tied.len() == left.len() {
            break;
        }
        left = tied;
    }
    let why = |module: &Module| {
        let ties: Vec<_> = imports[module].keys().filter(|named| left.contains(named)).collect();
        let ties: Vec<_> = ties.into_iter().map(file).collect();
        format!("{}: in a cycle by {}: move what both need", file(module), ties.join(", "))
    };
    left.iter().map(|module| why(module)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: &str = "| room |\n|---|\n| `src/http/` | x |\n| `src/store/`, `src/wire.rs` | x |\n| `src/ids/` | x |\n";

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        let sources: Vec<_> = sources.iter().collect();
        let (floors, imports) = (floors(HOUSE), imports(&sources));
        let mut found: Vec<_> = against_the_floors(&floors, &imports).collect();
        found.extend(rooms_off_the_map(&floors, &imports));
        found.extend(in_cycles(&imports));
        found
    }

    #[test]
    fn an_import_against_the_map_is_found_and_so_is_a_room_that_it_lacks() {
        let (http, store) = ("src/http/mod.rs", "src/store/mod.rs");
        assert!(found(&[(http, "use crate::store::Store;"), (store, "")]).is_empty());
        assert_eq!(found(&[(http, ""), (store, "\nuse crate::{http::Bank, x};")]).len(), 1);
        assert_eq!(found(&[(http, ""), (store, "fn f(bank: crate::http::Bank) {}")]).len(), 1);
        assert_eq!(found(&[("src/wire.rs", "use crate::store::Store;"), (store, "")]).len(), 1);
        assert_eq!(found(&[("src/cellar.rs", "")]).len(), 1);
    }

    #[test]
    fn files_that_need_each_other_are_found_unless_one_is_a_part_of_the_other() {
        let (one, two) = ("src/ids/one.rs", "src/ids/two.rs");
        assert!(found(&[(one, "use super::two::B;"), (two, "")]).is_empty());
        assert_eq!(found(&[(one, "use super::two::B;"), (two, "use super::one::A;")]).len(), 2);
        let (three, four) = ("src/ids/three.rs", "src/ids/four.rs");
        let round = |last| {
            let first = (one, "use crate::ids::two::B;");
            found(&[first, (two, "use super::three::C;"), (three, last), (four, "use super::one;")])
        };
        assert_eq!(round("fn f() { super::one::g() }").len(), 3);
        assert!(round("").is_empty());
        let whole = ("src/ids/mod.rs", "use self::one::A;\nfn f() { one::g() }");
        assert!(found(&[whole, (one, "use super::Whole;")]).is_empty());
        let in_tests = "#[cfg(test)]\nmod tests {\n    use crate::ids::one::A;\n}";
        assert!(found(&[(one, "use super::two::B;"), (two, in_tests)]).is_empty());
    }

    #[test]
    fn only_actors_may_know_all_others_through_their_routes() {
        let (routes, clock) = ("src/actors/routes.rs", "src/actors/clock.rs");
        let tied = [(routes, "use super::clock::A;"), (clock, "use super::routes::B;")];
        assert!(!found(&tied).iter().any(|why| why.contains("cycle")));
    }
}
