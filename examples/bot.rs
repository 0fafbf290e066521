//! Answers `!echo TEXT` in a room: each question once, whatever happens to the connection.
//!
//! `cargo run --example bot -- ws://127.0.0.1:8080/lobby`

#![expect(clippy::print_stderr, reason = "a bot says why it is not connected")]

use std::{collections::BTreeMap, error::Error, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Uri, header::SEC_WEBSOCKET_PROTOCOL};
use serde_json::{Value, json};
use tokio_websockets::{ClientBuilder, Message};

type Outcome = Result<(), Box<dyn Error>>;

/// What outlives a connection.
struct Bot {
    /// What the server is told after each connect: who we are, and what we have seen.
    hello: Value,
    /// Answers without an echo yet, by their keys.
    answers: BTreeMap<String, Value>,
    nick: String,
}

impl Bot {
    /// Returns what to send when `event` comes.
    fn receive(&mut self, event: &Value) -> Vec<Value> {
        let key = event["key"].as_str().unwrap_or_default();
        match event["type"].as_str().unwrap_or_default() {
            "hello" => vec![self.hello.clone()],
            "error" if event["code"] == "nick_taken" => {
                let mut hello = self.hello.clone();
                hello["nick"] = event["free"].clone();
                vec![hello]
            }
            "welcome" => {
                event["nick"].as_str().unwrap_or_default().clone_into(&mut self.nick);
                (self.hello["epoch"], self.hello["run"]) = (event["epoch"].clone(), event["run"].clone());
                if let Some(shared) = event.get("shared") {
                    // Another history than the one we have seen.
                    self.hello["after"] = shared.clone();
                }
                vec![]
            }
            "message" => {
                self.hello["after"] = event["id"].clone();
                if event["nick"] == self.nick {
                    self.answers.remove(key);
                    return vec![];
                }
                let text = event["text"].as_str().and_then(|text| text.strip_prefix("!echo "));
                // The same question has the same key, so an answer that is sent twice is stored
                // once.
                let answer =
                    text.map(|text| json!({"type": "say", "key": format!("answer-{}", event["id"]), "text": text}));
                self.answers.extend(answer.clone().map(|answer| (format!("answer-{}", event["id"]), answer)));
                answer.into_iter().collect()
            }
            "live" => {
                let seen = self.hello["after"].as_u64().max(event["cursor"].as_u64());
                self.hello["after"] = json!(seen);
                self.answers.values().cloned().collect()
            }
            "error" => {
                self.answers.remove(key);
                vec![]
            }
            _ => vec![],
        }
    }

    /// Answers until the connection ends.
    async fn answer(&mut self, uri: &Uri) -> Outcome {
        let subprotocol = HeaderValue::from_static("broadcast-chat.v1");
        let builder = ClientBuilder::from_uri(uri.clone()).add_header(SEC_WEBSOCKET_PROTOCOL, subprotocol)?;
        let (mut socket, _) = builder.connect().await?;
        while let Some(message) = socket.next().await {
            let message = message?;
            let Some(text) = message.as_text() else { continue };
            for answer in self.receive(&serde_json::from_str(text)?) {
                socket.send(Message::text(answer.to_string())).await?;
            }
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let uri = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:8080/lobby".to_owned()).parse()?;
    let mut secret = [0; 16];
    getrandom::fill(&mut secret)?;
    let session = format!("{:032x}", u128::from_ne_bytes(secret));
    let hello = json!({"type": "hello", "nick": "echobot", "session": session, "history": 0});
    let mut bot = Bot { hello, answers: BTreeMap::new(), nick: String::new() };
    loop {
        if let Err(error) = bot.answer(&uri).await {
            eprintln!("{error}; trying again");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
