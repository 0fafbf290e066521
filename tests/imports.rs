//! Module boundaries: which module may import which, and which code is pure.
//!
//! Reads the sources, blanks comments and literals, and checks the rest token by token.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The modules of ours that each part of the library may name, besides itself.
const MAY_NAME: [(&str, &[&str]); 6] = [
    ("protocol", &[]),
    ("os", &[]),
    ("rooms", &["protocol"]),
    ("store", &["protocol", "os"]),
    ("server", &["protocol", "rooms", "store", "os"]),
    ("client", &["protocol", "os"]),
];

/// Pure code, a function of its arguments: no runtime, no clock, no I/O.
const PURE: [&str; 8] = [
    "src/protocol",
    "src/rooms",
    "src/client/chat",
    "src/client/completion.rs",
    "src/client/editor",
    "src/client/ignored.rs",
    "src/client/terminal/keys",
    "src/client/view",
];

#[test]
fn the_walls_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    assert!(files.len() > 3, "the sources are under src");
    let mut found = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let path = file.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        found.extend(violations(&path, &source));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry of that folder").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Returns the violations in the file at `path`, relative to the root, with forward slashes.
fn violations(path: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !source.starts_with("//!") {
        found.push(format!("{path}: a file begins with `//!`: what it is, and what it may not do"));
    }
    let tokens = tokens(&blanked(source));
    let tests = tests_at(path, &tokens);
    found.extend(imports(path, &tokens, tests));
    let code = &tokens[..tests];
    if !path.starts_with("src/os/") && names_an_operating_system(code) {
        found.push(format!("{path}: what differs between operating systems stands in src/os"));
    }
    if PURE.iter().any(|pure| path.starts_with(pure)) {
        found.extend(impurities(code).into_iter().map(|what| format!("{path}: names {what}, but it is pure")));
    }
    found
}

/// Returns the names of ours that the file must not use.
fn imports(path: &str, tokens: &[String], tests: usize) -> Vec<String> {
    let module: Vec<&str> = path
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .split('/')
        .filter(|part| !matches!(*part, "mod" | "lib"))
        .collect();
    let (own, allowed): (&str, &[&str]) = match module.as_slice() {
        // The crate root declares all modules.
        [] => return Vec::new(),
        ["bin", "server"] => ("", &["protocol", "rooms", "store", "server", "os"]),
        ["bin", "client"] => ("", &["protocol", "client", "os"]),
        [first, ..] => match MAY_NAME.iter().find(|(name, _)| name == first) {
            Some((name, allowed)) => (name, allowed),
            None => {
                return vec![format!("{path}: {first} is a new part of the house; give it its rule in {}", file!())];
            }
        },
    };
    let known = |name: &str| MAY_NAME.iter().any(|(part, _)| *part == name);
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map_or("", |index| tokens[index].as_str());
        let rest = match token.as_str() {
            "crate" | "broadcast_chat" if before != "::" => &tokens[index + 1..],
            "super" if before != "::" => {
                // A module inside the file is one level deeper than the file.
                let depth = module.len() + usize::from(index >= tests);
                let supers =
                    tokens[index..].chunks(2).take_while(|pair| matches!(pair, [a, b] if a == "super" && b == "::"));
                let supers = supers.count();
                if supers < depth {
                    continue;
                }
                &tokens[index + 2 * supers - 1..]
            }
            _ => continue,
        };
        for name in first_segments(rest) {
            if name == "*" || known(&name) && name != own && !allowed.contains(&name.as_str()) {
                found.push(format!("{path}: names {token}::{name}, which it must not know"));
            }
        }
    }
    found
}

/// Returns the names that follow `::`; those of a `{…}` one by one.
fn first_segments(tokens: &[String]) -> Vec<String> {
    match tokens {
        [colons, brace, rest @ ..] if colons == "::" && brace == "{" => {
            let mut names = Vec::new();
            let (mut depth, mut begins) = (1, true);
            for token in rest {
                match token.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    "," if depth == 1 => {
                        begins = true;
                        continue;
                    }
                    name if depth == 1 && begins => names.push(name.to_owned()),
                    _ => {}
                }
                begins = false;
                if depth == 0 {
                    break;
                }
            }
            names
        }
        [colons, name, ..] if colons == "::" => vec![name.clone()],
        _ => Vec::new(),
    }
}

/// Returns the impure names in the code.
fn impurities(tokens: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let after_colons = index.checked_sub(1).is_some_and(|index| tokens[index] == "::");
        match token.as_str() {
            "std" => found.extend(
                first_segments(&tokens[index + 1..])
                    .into_iter()
                    .filter(|name| matches!(name.as_str(), "io" | "net" | "fs" | "process" | "thread"))
                    .map(|name| format!("std::{name}")),
            ),
            name if name == "tokio" || name.starts_with("tokio_") => found.push(name.to_owned()),
            "Instant" | "SystemTime" => found.push(format!("the clock {token}")),
            "now" if after_colons => found.push("the clock ::now".to_owned()),
            "getrandom" | "fastrand" => found.push(format!("chance ({token})")),
            _ => {}
        }
    }
    found
}

fn names_an_operating_system(tokens: &[String]) -> bool {
    tokens.iter().enumerate().any(|(index, token)| {
        let is_name = matches!(token.as_str(), "unix" | "windows" | "target_os" | "target_family");
        // Inside `cfg(…)`, `cfg_attr(…)` or `cfg!(…)`, at any depth: only a condition is between it
        // and the name.
        is_name
            && tokens[..index]
                .iter()
                .rev()
                .take_while(|token| !matches!(token.as_str(), ";" | "{" | "}" | "["))
                .any(|token| matches!(token.as_str(), "cfg" | "cfg_attr"))
    })
}

/// Returns where the tests begin; they are last.
fn tests_at(path: &str, tokens: &[String]) -> usize {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return 0;
    }
    let begin = ["#", "[", "cfg", "(", "test", ")", "]"];
    let found = tokens.windows(begin.len() + 3).position(|window| {
        let (attribute, rest) = window.split_at(begin.len());
        attribute == begin && rest[0] == "mod" && rest[2] == "{"
    });
    found.unwrap_or(tokens.len())
}

/// Returns words, `::` and single characters.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || c == '_' {
            let mut word = String::from(c);
            while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                word.push(c);
            }
            tokens.push(word);
        } else if c == ':' && chars.next_if_eq(&':').is_some() {
            tokens.push("::".to_owned());
        } else if !c.is_whitespace() {
            tokens.push(c.to_string());
        }
    }
    tokens
}

/// Returns `source` without comments, strings and characters.
fn blanked(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => at += chars[at..].iter().position(|c| *c == '\n').unwrap_or(chars.len() - at),
            ('/', Some('*')) => at = after_block_comment(&chars, at),
            ('"', _) => at = after_quote(&chars, at, '"'),
            ('r', _) if !in_word || at > 0 && matches!(chars[at - 1], 'b' | 'c') => {
                let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
                if chars.get(at + 1 + hashes) == Some(&'"') {
                    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                    let body = at + 2 + hashes;
                    let length = chars[body..].windows(end.len()).position(|window| window == end);
                    at = length.map_or(chars.len(), |length| body + length + end.len());
                } else {
                    out.push('r');
                    at += 1;
                    continue;
                }
            }
            // A character, not a lifetime.
            ('\'', Some('\\')) => at = after_quote(&chars, at, '\''),
            ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => at += 3,
            (c, _) => {
                out.push(c);
                at += 1;
                continue;
            }
        }
        out.push(' ');
    }
    out
}

fn after_block_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => depth += 1,
            ('*', Some('/')) => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

fn after_quote(chars: &[char], begin: usize, quote: char) -> usize {
    let mut at = begin + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

#[test]
fn a_planted_violation_is_caught() {
    for (path, code) in [
        ("src/protocol/names.rs", "use crate::rooms::Room;"),
        ("src/protocol/mod.rs", "use super::store;"),
        ("src/protocol/names.rs", "fn f() { super::super::client::start() }"),
        ("src/protocol/names.rs", "use super::{super::server::Hub, text};use super::super::{os, protocol};"),
        ("src/protocol/json.rs", "use tokio::time::Duration;"),
        ("src/protocol/json.rs", "use tokio_util::codec::Framed;"),
        ("src/rooms.rs", "use crate::{protocol::{Nick, Body}, store::Store};"),
        ("src/rooms/mod.rs", "use std::{sync::Arc, time::{Duration, Instant}};"),
        ("src/rooms/mod.rs", "let now = jiff::Zoned::now();"),
        ("src/store/mod.rs", "use broadcast_chat::server::Hub;"),
        ("src/store/sqlite.rs", "use crate::rooms;"),
        ("src/server/hub.rs", "use crate::client::App;"),
        ("src/server/hub.rs", "#[cfg(all(test, unix))] fn f() {}"),
        ("src/server/hub.rs", "#[cfg(test)] mod tests { use crate::client; }"),
        ("src/client/connection.rs", "use crate::*;"),
        ("src/client/connection.rs", "if cfg!(target_os = \"linux\") {}"),
        ("src/client/chat.rs", "let at = std::time::SystemTime::UNIX_EPOCH;"),
        ("src/client/chat/outbox.rs", "use tokio::sync::mpsc;"),
        ("src/client/view/plain.rs", "use std::{fmt, net::TcpStream};"),
        ("src/bin/server.rs", "use broadcast_chat::{client, server};"),
        ("src/bin/client.rs", "broadcast_chat::server::serve()"),
        ("src/cellar.rs", ""),
    ] {
        let found = violations(path, &format!("//! A file.\n{code}\n"));
        assert!(!found.is_empty(), "{path}: {code}");
    }
    assert_eq!(violations("src/protocol/mod.rs", "// A file.\n").len(), 1);
}

#[test]
fn what_is_allowed_or_only_told_is_let_be() {
    for (path, code) in [
        ("src/protocol/names.rs", "use super::{clean, Limits}; use crate::protocol::text;"),
        (
            "src/protocol/names.rs",
            "/* crate::room /* tokio */ std::fs */ // crate::log\nconst A: &str = \"tokio \\\" crate::log\";",
        ),
        ("src/protocol/names.rs", "const A: &str = r#\"ws://\" tokio \"#; fn f<'a>(_: &'a str) -> char { '\"' }"),
        ("src/protocol/names.rs", "fn server() {} fn f(message: &str) { server(); self::client::log(message) }"),
        (
            "src/protocol/names.rs",
            "mod x {} #[cfg(test)]\nmod tests { use super::*; use super::super::text; use tokio::time; }",
        ),
        ("src/rooms/tests.rs", "use std::time::Instant;"),
        ("src/rooms.rs", "fn handle(now: Timestamp) { if now > crate::protocol::later(now) {} }"),
        (
            "src/server/mod.rs",
            "use crate::{store::Store, os, rooms::{Room, client}, protocol}; mod http; use super::server::http;",
        ),
        ("src/server/hub.rs", "use tokio::time::Instant; fn f() { Instant::now(); super::http::client() }"),
        ("src/client/connection.rs", "use tokio::net::TcpStream; const WINDOWS: u8 = unix;"),
        ("src/os/mod.rs", "#[cfg(unix)] fn f() {}"),
        ("src/lib.rs", "pub mod server; use crate::client;"),
        ("src/bin/server.rs", "use broadcast_chat::{os, server::{self, Config}};"),
    ] {
        let found = violations(path, &format!("//! A file of crate::client.\n{code}\n"));
        assert!(found.is_empty(), "{code}: {found:?}");
    }
}
