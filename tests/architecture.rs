//! Holds the shape of the source tree: who may import whom, how long a file may be, and that a file says what it is. It
//! reads text, not syntax trees: enough for paths that start at `crate::`, `tower_flashback::` or the root by `super::`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The parts, from the inside out. A part may import the parts of lower ranks, and those of rank 0 each other. So hands
/// import no hands but `telemetry`, `layer` and `broker` meet in `flashback` alone, and nothing pure reaches the world.
const RANKS: [(&str, u8); 14] = [
    ("unit", 0),
    ("crowd", 0),
    ("swarm", 0),
    ("content", 0),
    ("sim", 0),
    ("telemetry", 1),
    ("layer", 2),
    ("broker", 2),
    ("cluster", 2),
    // Speaks the words of `broker::signal`, whose other end it is.
    ("visitor", 3),
    ("flashback", 3),
    ("proxy", 4),
    ("cli", 5),
    ("main", 6),
];

/// Lines that a file may have, its tests left out.
const LONGEST: usize = 400;

/// Files that are longer, and why that is better than splitting them.
const LONG: [(&str, &str); 0] = [];

#[test]
fn imports_point_inward() {
    let mut outward = Vec::new();
    for file in sources("src", "rs") {
        let (part, pure) = (part_of(&file), is_pure(&file));
        for import in imports(&read(&file), depth(&file)) {
            let (Some(from), Some(to)) = (rank(&part), rank(&import)) else {
                continue;
            };
            let allowed = import == part || to < from || (to == 0 && from == 0);
            if !allowed || (pure && import != part && to > 0) {
                outward.push(format!("{} ({part}) imports {import}", file.display()));
            }
        }
    }
    assert!(
        outward.is_empty(),
        "imports that point outward:\n{}",
        outward.join("\n")
    );
}

#[test]
fn every_part_has_a_rank() {
    let ranked: BTreeSet<_> = RANKS.iter().map(|(part, _)| (*part).to_owned()).collect();
    let parts: BTreeSet<_> = sources("src", "rs")
        .iter()
        .map(|file| part_of(file))
        .filter(|part| part != "lib")
        .collect();
    let unranked: Vec<_> = parts.difference(&ranked).collect();
    assert!(
        unranked.is_empty(),
        "parts without a rank in tests/architecture.rs: {unranked:?}"
    );
}

#[test]
fn pure_parts_deny_the_world() {
    for (part, _) in RANKS.iter().filter(|(part, rank)| *rank == 0 && *part != "unit") {
        let Ok(module) = fs::read_to_string(root().join("src").join(part).join("mod.rs")) else {
            continue;
        };
        let denies = module.contains("#![deny(clippy::disallowed_methods, clippy::disallowed_types)]");
        assert!(denies, "src/{part}/mod.rs does not deny what clippy.toml lists");
    }
}

#[test]
fn files_are_short() {
    let files = sources("src", "rs")
        .into_iter()
        .chain(sources("client/src", "ts"));
    let long: BTreeSet<_> = files
        .filter(|file| !is_test(file) && lines_of_code(&read(file)) > LONGEST)
        .map(|file| file.to_string_lossy().into_owned())
        .collect();
    let allowed: BTreeSet<_> = LONG.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(
        long, allowed,
        "files over {LONGEST} lines, and those that tests/architecture.rs gives a reason for"
    );
    assert!(
        LONG.iter().all(|(_, reason)| reason.len() > 20),
        "a reason is a sentence"
    );
}

#[test]
fn files_say_what_they_are() {
    for file in sources("src", "rs").into_iter().filter(|file| !is_test(file)) {
        assert!(
            read(&file).starts_with("//! "),
            "{} does not begin with what it is",
            file.display()
        );
    }
}

#[test]
fn imports_are_found_wherever_they_stand() {
    let text = r#"
        //! crate::comment is not one
        use crate::{a::B, c::{self, inner::D}, e, F}; // crate::comment
        use super::g; use super::super::{h::I, j};
        pub(in crate::k) fn f() -> crate::l::M { "crate::string"; tower_flashback::n::run() }
        use other_crate::o; $crate::p!();
    "#;
    let found = imports(text, 2);
    let expected = ["a", "c", "e", "flashback", "h", "j", "k", "l", "n", "p"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(expected));
}

#[test]
fn lines_of_tests_do_not_count() {
    assert_eq!(lines_of_code("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
    assert_eq!(lines_of_code("a\n#[cfg(test)]\nfn for_tests() {}\nb\n"), 4);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder, relative to the root, in order.
fn sources(folder: &str, extension: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::from(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).into_iter().flatten() {
            let entry = entry.expect("the folder is readable");
            let path = folder.join(entry.file_name());
            if entry.file_type().expect("has a type").is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|has| has == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file)).expect("the file is text")
}

/// `src/crowd/key.rs` and `src/crowd.rs` both belong to `crowd`.
fn part_of(file: &Path) -> String {
    let mut names = file.iter().skip(1);
    let first = names.next().unwrap_or_default().to_string_lossy();
    first.strip_suffix(".rs").unwrap_or(&first).to_owned()
}

fn rank(part: &str) -> Option<u8> {
    RANKS
        .iter()
        .find(|(name, _)| *name == part)
        .map(|(_, rank)| *rank)
}

/// Modules between the file's own and the root.
fn depth(file: &Path) -> usize {
    let names = file.iter().skip(1).count();
    let is_root = ["mod.rs", "lib.rs", "main.rs"]
        .iter()
        .any(|name| file.ends_with(name));
    names - usize::from(is_root)
}

/// Whether the file must be pure though it lies in a part of hands: the modules of `broker` that are built without features.
fn is_pure(file: &Path) -> bool {
    if rank(&part_of(file)) == Some(0) {
        return true;
    }
    let mut names = file
        .iter()
        .skip(1)
        .map(|name| name.to_string_lossy().into_owned());
    if names.next().as_deref() != Some("broker") {
        return false;
    }
    let module = names.next().unwrap_or_default();
    let module = module.strip_suffix(".rs").unwrap_or(&module);
    let manual = read(Path::new("src/broker/mod.rs"));
    let lines: Vec<_> = manual.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| {
        let declares = pair[1] == format!("mod {module};") || pair[1].ends_with(&format!(" mod {module};"));
        declares && !pair[0].starts_with("#[cfg(")
    })
}

fn is_test(file: &Path) -> bool {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    name == "tests" || name.ends_with("_tests") || file.iter().any(|folder| folder == "tests")
}

fn lines_of_code(text: &str) -> usize {
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .lines()
        .count()
}

/// Names at the root of the crate that a text imports or names. A type at the root is re-exported from `flashback`.
fn imports(text: &str, depth: usize) -> BTreeSet<String> {
    let text = without_comments_and_strings(text);
    let mut found = BTreeSet::new();
    let to_root = "super::".repeat(depth);
    for start in ["crate::", "tower_flashback::", to_root.as_str()] {
        for (at, _) in text.match_indices(start).filter(|_| !start.is_empty()) {
            // `other_crate::` is not `crate::`; `super::super::` within a longer chain is found at its beginning.
            let before = text[..at].chars().next_back().unwrap_or(' ');
            if before.is_alphanumeric() || before == '_' || before == ':' {
                continue;
            }
            let names = roots(&text[at + start.len()..]);
            let public = |name: String| {
                if name.starts_with(char::is_uppercase) {
                    "flashback".to_owned()
                } else {
                    name
                }
            };
            found.extend(names.into_iter().map(public));
        }
    }
    found
}

/// `a::b` is `a`; `{a::b, c::{d, e}}` is `a` and `c`.
fn roots(path: &str) -> Vec<String> {
    let name = |text: &str| {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let (mut open, mut names, mut start) = (1, Vec::new(), 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if (letter == ',' && open == 1) || open == 0 {
            names.push(name(&group[start..at]));
            start = at + 1;
        }
        if open == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Line comments and one-line strings go; what is left is enough to find paths in.
fn without_comments_and_strings(text: &str) -> String {
    let line = |line: &str| {
        let mut kept = String::new();
        let (mut quoted, mut before) = (false, ' ');
        for letter in line.chars() {
            if letter == '"' && before != '\\' && before != '\'' {
                quoted = !quoted;
            } else if letter == '/' && before == '/' && !quoted {
                kept.pop();
                break;
            } else if !quoted {
                kept.push(letter);
            }
            before = letter;
        }
        kept.push('\n');
        kept
    };
    text.lines().map(line).collect()
}
