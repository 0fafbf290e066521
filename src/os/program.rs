//! How the user starts the programs of this package, so that a hint can be typed as it is read.

use std::path::Path;

/// Returns the command that starts the program `name` of this package with `arguments`, in the way
/// the running program was started: by cargo, by its path, or from the search path.
#[must_use]
pub fn command(name: &str, arguments: &str) -> String {
    let started = std::env::args().next().unwrap_or_default();
    let is_by_cargo = std::env::var_os("CARGO_MANIFEST_DIR").is_some();
    command_beside(&started, is_by_cargo, name, arguments)
}

fn command_beside(started: &str, is_by_cargo: bool, name: &str, arguments: &str) -> String {
    let separator = if arguments.is_empty() { "" } else { " " };
    if is_by_cargo {
        let release = if Path::new(started).iter().any(|part| part == "release") { "--release " } else { "" };
        let dashes = if arguments.is_empty() { "" } else { " --" };
        return format!("cargo run {release}--bin {name}{dashes}{separator}{arguments}");
    }
    let beside = Path::new(started).with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let has_folder = beside.parent().is_some_and(|folder| !folder.as_os_str().is_empty());
    let program = if has_folder && beside.is_file() { quoted(&beside.to_string_lossy()) } else { name.to_owned() };
    format!("{program}{separator}{arguments}")
}

/// Returns `path` as a shell takes it for one word.
fn quoted(path: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/\\:._-+~".contains(letter);
    if path.chars().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_written_as_the_program_was_started() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("server"), "").unwrap();
        let beside = folder.path().join("server").to_string_lossy().into_owned();
        let client = folder.path().join("client").to_string_lossy().into_owned();
        for (started, is_by_cargo, arguments, command) in [
            ("target/debug/client", true, "", "cargo run --bin server"),
            ("target/debug/client", true, "--listen x", "cargo run --bin server -- --listen x"),
            ("target/release/client", true, "--listen x", "cargo run --release --bin server -- --listen x"),
            ("client", false, "", "server"),
            ("client", false, "--listen x", "server --listen x"),
            ("", false, "", "server"),
            ("/nowhere/client", false, "", "server"),
        ] {
            assert_eq!(command_beside(started, is_by_cargo, "server", arguments), command, "{started}");
        }
        if cfg!(unix) {
            assert_eq!(command_beside(&client, false, "server", "-x"), format!("{beside} -x"));
        }
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}
