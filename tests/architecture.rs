//! The names in docs/architecture.md exist.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Returns the Markdown between single backticks, without fenced blocks.
fn code_spans(markdown: &str) -> Vec<String> {
    let prose: Vec<_> = markdown.split("```").step_by(2).collect();
    prose.iter().flat_map(|part| part.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Returns the text of the module file at `path`, and whether it is a folder's.
fn module(path: &Path) -> Option<PathBuf> {
    [path.with_extension("rs"), path.join("mod.rs")].into_iter().find(|file| file.is_file())
}

/// Returns the source of a module and of everything below it: methods may be in a child.
fn source(file: &Path) -> String {
    let mut text = fs::read_to_string(file).expect("a module");
    let folder =
        if file.ends_with("mod.rs") { file.parent().expect("its folder").to_owned() } else { file.with_extension("") };
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(path).expect("a source"));
            }
        }
    }
    text
}

/// Returns whether `name` is defined in `source`, as an item, a method or a variant.
fn defines(source: &str, name: &str) -> bool {
    let is_word = |at: usize, length: usize| {
        let before = source[..at].chars().next_back();
        let after = source[at + length..].chars().next();
        ![before, after].iter().flatten().any(|c| c.is_alphanumeric() || *c == '_')
    };
    let items = ["fn ", "struct ", "enum ", "trait ", "const ", "static ", "type ", "mod "];
    let is_item = items.iter().any(|item| {
        let text = format!("{item}{name}");
        source.match_indices(&text).any(|(at, _)| is_word(at, text.len()))
    });
    // A variant stands at the beginning of its line.
    is_item
        || source
            .lines()
            .any(|line| line.trim().strip_prefix(name).is_some_and(|rest| rest.starts_with(['(', ',', ' '])))
}

/// Returns what is wrong with a path such as `server::hub::task::HubTask::commit`.
fn missing(path: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let parts: Vec<_> = path.split("::").collect();
    let mut folder = root.clone();
    let mut file = root.join("lib.rs");
    let mut items = parts.as_slice();
    while let Some((first, rest)) = items.split_first()
        && let Some(found) = module(&folder.join(first))
    {
        folder.push(first);
        (file, items) = (found, rest);
    }
    if items.len() == parts.len() {
        return Some(format!("{path}: there is no module {}", parts[0]));
    }
    let source = source(&file);
    let unknown = items.iter().find(|item| !defines(&source, item))?;
    Some(format!("{path}: {unknown} is not defined in {}", file.display()))
}

#[test]
fn every_name_in_the_architecture_page_exists() {
    let page = include_str!("../docs/architecture.md");
    let paths: Vec<_> = code_spans(page).into_iter().filter(|span| span.contains("::")).collect();
    assert!(paths.len() > 40, "the page names what it speaks of: {}", paths.len());
    let missing: Vec<_> = paths.iter().filter_map(|path| missing(path)).collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    for path in ["server::hub::task::HubTask::fly", "nothing::here", "store::sqlite::Fly"] {
        assert!(missing(path).is_some(), "{path}");
    }
    assert_eq!(missing("server::hub::task::HubTask::commit"), None);
}
