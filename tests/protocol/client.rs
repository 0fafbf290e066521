//! The examples of our client's output: code blocks `client`.
//!
//! `$ client …` starts a client with these arguments, on a server of the block's own. `> text` is a
//! line typed into the client started last, `< text` the next line it prints, and `! stop` stops
//! the server.

use serde_json::Value;

use super::{
    DOCUMENT,
    compare::Stand,
    document,
    support::{
        process::{Process, Signal},
        server,
    },
};

#[tokio::test]
async fn every_example_of_what_the_client_prints_happens() {
    let document = document();
    let lines: Vec<_> = (1..).zip(document.lines()).collect();
    let mut blocks = lines.split(|(_, line)| *line == "```client");
    // The text before the first fence.
    blocks.next();
    let mut count = 0;
    for block in blocks {
        count += 1;
        happens(block).await;
    }
    assert!(count > 0, "{DOCUMENT} has no code block `client`");
}

async fn happens(block: &[(usize, &str)]) {
    let server = server::start().await;
    let url = format!("ws://{}", server.address);
    let mut clients: Vec<Process> = Vec::new();
    for (number, line) in block.iter().take_while(|(_, line)| *line != "```") {
        let at = format!("{DOCUMENT}:{number}");
        let (mark, words) = line.split_once(' ').unwrap_or_else(|| panic!("{at}: {line:?} has no mark"));
        let current = clients.last_mut();
        match (mark, current) {
            ("$", _) => {
                let arguments = words.strip_prefix("client ").unwrap_or_else(|| panic!("{at}: another program"));
                let arguments: Vec<_> = [url.as_str()].into_iter().chain(arguments.split(' ')).collect();
                clients.push(Process::client(&arguments));
            }
            (">", Some(client)) => client.write_line(words).await,
            ("<", Some(client)) => {
                let got = client.stdout.next().await.unwrap_or_else(|| panic!("{at}: it ended"));
                let (expected, got) = (without_key(words), without_key(&got));
                Stand::default()
                    .matches(&expected, &got)
                    .unwrap_or_else(|why| panic!("{at}: {why}\nexpected {expected}\n     got {got}"));
            }
            ("!", _) if words == "stop" => server.process.signal(Signal::Term).await,
            _ => panic!("{at}: {line:?} cannot be understood"),
        }
    }
}

/// Returns an event in which the client's random message key is replaced by a fixed one.
fn without_key(line: &str) -> String {
    let Ok(Value::Object(mut event)) = serde_json::from_str(line) else { return line.to_owned() };
    if let Some(key) = event.get_mut("key") {
        *key = Value::String("any".to_owned());
    }
    Value::Object(event).to_string()
}
