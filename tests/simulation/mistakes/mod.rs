//! Does the simulator find mistakes? Each mistake of the list is put into a copy of the repository,
//! and seeds are run until one finds it: the one that the list names, or else the first that does.

mod list;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use self::list::{MISTAKES, Mistake};

/// The folder of the copy, beside the builds.
const COPY: &str = "mistakes";

type Outcome<T> = Result<T, String>;

/// Checks that every mistake still fits into the source, or the list would prove nothing.
pub(crate) fn check_list() -> Outcome<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    MISTAKES.iter().try_for_each(|mistake| altered(root, mistake).map(|_| ()))
}

/// Puts in the mistakes one by one, or only those whose names have the word in them.
pub(crate) fn try_all(only: Option<&str>, seeds: u64) -> ExitCode {
    let chosen =
        MISTAKES.iter().filter(|mistake| only.is_none_or(|word| mistake.name.contains(word)));
    // A file that is no longer in the repository must not be in the copy.
    let _ = target_folder().map(|folder| fs::remove_dir_all(folder.join(COPY)));
    let mut lines = Vec::new();
    let mut all_found = true;
    for mistake in chosen {
        let (line, is_found) = match try_one(mistake, seeds) {
            Ok(Some((seed, why))) => {
                let expected =
                    if seed == mistake.found_by.0 { "" } else { "  <- CORRECT THE LIST" };
                (format!("{:<45} seed {seed:>5}: {why}{expected}", mistake.name), true)
            }
            Ok(None) => (format!("{:<45} NOT FOUND in {seeds} seeds", mistake.name), false),
            Err(why) => (format!("{:<45} COULD NOT BE TRIED: {why}", mistake.name), false),
        };
        println!("{line}");
        lines.push(line);
        all_found &= is_found;
    }
    println!("\n{}", lines.join("\n"));
    if all_found { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The files that a mistake changes, with their new text.
fn altered(root: &Path, mistake: &Mistake) -> Outcome<Vec<(&'static str, String)>> {
    let mut files: Vec<(&'static str, String)> = Vec::new();
    for edit in mistake.edits {
        let known = files.iter_mut().find(|(file, _)| *file == edit.file);
        let (file, text) = match known {
            Some((file, text)) => (*file, text),
            None => {
                let path = root.join(edit.file);
                let text = fs::read_to_string(&path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                files.push((edit.file, text));
                let (file, text) = files.last_mut().expect("just put there");
                (*file, text)
            }
        };
        let count = text.matches(edit.before).count();
        if count != 1 {
            return Err(format!(
                "'{}': its text stands in {file} {count} times, not once",
                mistake.name
            ));
        }
        *text = text.replacen(edit.before, edit.after, 1);
    }
    Ok(files)
}

fn try_one(mistake: &Mistake, seeds: u64) -> Outcome<Option<(u64, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = copy_of(root)?;
    for (file, text) in altered(root, mistake)? {
        write(&copy.join(file), text.as_bytes())?;
    }
    let (expected, _) = mistake.found_by;
    match run(&copy, &["--from", &expected.to_string(), "--seeds", "1"])? {
        Some(found) => Ok(Some(found)),
        None => run(&copy, &["--seeds", &seeds.to_string()]),
    }
}

/// The repository as it stands, in the build folder.
fn copy_of(root: &Path) -> Outcome<PathBuf> {
    let copy = target_folder()?.join(COPY);
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output();
    let listed = listed.map_err(|error| format!("git ls-files: {error}"))?.stdout;
    for file in String::from_utf8_lossy(&listed).split('\0').filter(|file| !file.is_empty()) {
        // Listed but not there: deleted since the last commit.
        if let Ok(content) = fs::read(root.join(file)) {
            write(&copy.join(file), &content)?;
        }
    }
    Ok(copy)
}

/// Writes only what changes, so that cargo builds only that.
fn write(path: &Path, content: &[u8]) -> Outcome<()> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let folder = path.parent().expect("a file is in a folder");
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, content));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// Where cargo has put this program: `target/profile/deps/simulation-…`.
fn target_folder() -> Outcome<PathBuf> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    program
        .ancestors()
        .nth(3)
        .map(Path::to_owned)
        .ok_or_else(|| "this program lies in no target folder".to_owned())
}

/// A build folder for the copy alone: cargo takes two copies of a package in one build folder for
/// the same package.
fn build_folder() -> Outcome<PathBuf> {
    Ok(target_folder()?.join("mistakes-build"))
}

/// Runs seeds of the copy; returns the first that finds something, and what.
fn run(copy: &Path, arguments: &[&str]) -> Outcome<Option<(u64, String)>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args([
        "test",
        "--quiet",
        "--offline",
        "--profile",
        "sim",
        "--test",
        "simulation",
        "--",
    ]);
    command
        .args(arguments)
        .arg("--brief")
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", build_folder()?);
    let output =
        command.stderr(Stdio::piped()).output().map_err(|error| format!("cargo: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found =
        text.lines().find_map(|line| line.strip_prefix("VIOLATION seed ")?.split_once(": "));
    match found {
        Some((seed, why)) => {
            Ok(Some((seed.parse().map_err(|_| format!("seed {seed}"))?, why.to_owned())))
        }
        None if output.status.success() => Ok(None),
        None => Err(String::from_utf8_lossy(&output.stderr)
            .lines()
            .take(20)
            .collect::<Vec<_>>()
            .join("\n")),
    }
}
