//! Parses the examples of a Markdown document.
//!
//! In a block `transcript`, `# …` is a comment. `A> GET /rust?nick=ada` opens the connection A; a
//! subprotocol to offer follows it. `A> text` sends a text frame, `A< text` expects it as A's next
//! frame, and `A| text` is the next line of the frame above. `A> close 1000 reason` and
//! `A< close 1000 reason` are close frames.
//!
//! In a block `http`, lines of a request begin with `> ` and lines of the response with `< `: the
//! status line, the headers that must be present and, after an empty line, the whole body. The next
//! `> ` begins another request on another connection.

use std::collections::HashSet;

/// One example.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its fence.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

/// The content of an example.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Transcript(Vec<Step>),
    Http(Vec<Exchange>),
}

/// One step of one client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) peer: String,
    pub(crate) kind: StepKind,
}

/// What a client sends or receives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StepKind {
    Open { target: String, subprotocol: Option<String> },
    Send(String),
    SendClose(u16, String),
    Expect(String),
    ExpectClose(u16, String),
}

/// One request and its response.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) line: usize,
    pub(crate) request: String,
    pub(crate) status_line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
}

/// Returns the examples of `document`.
///
/// # Errors
/// Returns the number of the line that cannot be parsed, and the reason.
pub(crate) fn parse(document: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut lines = document.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((line, text)) = lines.next() {
        let Some(info) = text.strip_prefix("```") else { continue };
        let inside: Vec<_> = lines.by_ref().take_while(|(_, text)| !text.starts_with("```")).collect();
        let kind = match info.split_whitespace().next() {
            Some("transcript") => Kind::Transcript(steps(&inside)?),
            Some("http") => Kind::Http(exchanges(&inside)?),
            _ => continue,
        };
        blocks.push(Block { line, kind });
    }
    Ok(blocks)
}

fn steps(lines: &[(usize, &str)]) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut open = HashSet::new();
    for &(line, text) in lines {
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        let split = text.find(|c: char| !c.is_ascii_alphanumeric()).filter(|at| *at > 0);
        let (peer, rest) = text.split_at(split.ok_or_else(|| format!("{line}: expected a name and > < or |: {text}"))?);
        let (mark, rest) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
        let said = rest.strip_prefix(' ').unwrap_or(rest);
        let peer = peer.to_owned();
        let kind = match mark {
            "|" => {
                match steps.last_mut() {
                    Some(Step { peer: above, kind: StepKind::Send(text) | StepKind::Expect(text), .. })
                        if *above == peer =>
                    {
                        text.push('\n');
                        text.push_str(said);
                    }
                    _ => return Err(format!("{line}: {peer}| goes on with nothing of {peer}")),
                }
                continue;
            }
            ">" if !open.contains(&peer) => {
                let request = said.strip_prefix("GET ").ok_or_else(|| format!("{line}: {peer} is not open: {text}"))?;
                let (target, subprotocol) = match request.split_once(' ') {
                    Some((target, subprotocol)) => (target, Some(subprotocol.to_owned())),
                    None => (request, None),
                };
                open.insert(peer.clone());
                StepKind::Open { target: target.to_owned(), subprotocol }
            }
            ">" => match close(said) {
                Some((code, reason)) => StepKind::SendClose(code, reason),
                None => StepKind::Send(said.to_owned()),
            },
            "<" if !open.contains(&peer) => return Err(format!("{line}: {peer} is not open: {text}")),
            "<" => match close(said) {
                Some((code, reason)) => {
                    open.remove(&peer);
                    StepKind::ExpectClose(code, reason)
                }
                None => StepKind::Expect(said.to_owned()),
            },
            _ => return Err(format!("{line}: expected > < or | after {peer}: {text}")),
        };
        steps.push(Step { line, peer, kind });
    }
    Ok(steps)
}

/// Returns code and reason of `close 1000 reason`; any other text is a message.
fn close(said: &str) -> Option<(u16, String)> {
    let (code, reason) = said.strip_prefix("close ").map(|rest| rest.split_once(' ').unwrap_or((rest, "")))?;
    Some((code.parse().ok().filter(|code| *code >= 1000)?, reason.to_owned()))
}

fn exchanges(lines: &[(usize, &str)]) -> Result<Vec<Exchange>, String> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for &(line, text) in lines {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (mark, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match (mark, exchanges.last_mut()) {
            (">", Some(exchange)) if exchange.status_line.is_empty() => {
                exchange.request.push_str("\r\n");
                exchange.request.push_str(rest);
            }
            (">", _) => exchanges.push(Exchange { line, request: rest.to_owned(), ..Exchange::default() }),
            ("<", None) => return Err(format!("{line}: an answer before its request")),
            ("<", Some(exchange)) if exchange.status_line.is_empty() => rest.clone_into(&mut exchange.status_line),
            ("<", Some(Exchange { body: Some(body), .. })) => {
                if !body.is_empty() {
                    body.push('\n');
                }
                body.push_str(rest);
            }
            ("<", Some(exchange)) if rest.is_empty() => exchange.body = Some(String::new()),
            ("<", Some(exchange)) => {
                let (name, value) = rest.split_once(':').ok_or_else(|| format!("{line}: no header: {rest}"))?;
                exchange.headers.push((name.to_owned(), value.trim().to_owned()));
            }
            _ => return Err(format!("{line}: expected > or <: {text}")),
        }
    }
    for exchange in &mut exchanges {
        // Completes a head that the document leaves open. Text after its empty line is a body and
        // stays as it is.
        if !exchange.request.contains("\r\n\r\n") {
            let end = if exchange.request.ends_with("\r\n") { "\r\n" } else { "\r\n\r\n" };
            exchange.request.push_str(end);
        }
        if exchange.status_line.is_empty() {
            return Err(format!("{}: a request without an answer", exchange.line));
        }
    }
    Ok(exchanges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(line: usize, peer: &str, kind: StepKind) -> Step {
        Step { line, peer: peer.to_owned(), kind }
    }

    #[test]
    fn a_transcript_is_read_line_by_line() {
        let document = "# Title\n```text\nA< ignored\n```\n\n```transcript\n# who\nA> GET /rust?nick=ada\n\
                        B1> GET /rust broadcast-chat.v1\nA> hello\nA| \nA|  there\nB1< {\"a\":1}\nA> close 1000 so long\n\
                        A< close 1000 so long\nA> GET /\nA< close up\nA> GET on with it\n```\n";
        let blocks = parse(document).unwrap();
        let open = |target: &str, subprotocol: Option<&str>| StepKind::Open {
            target: target.to_owned(),
            subprotocol: subprotocol.map(str::to_owned),
        };
        let steps = vec![
            step(8, "A", open("/rust?nick=ada", None)),
            step(9, "B1", open("/rust", Some("broadcast-chat.v1"))),
            step(10, "A", StepKind::Send("hello\n\n there".to_owned())),
            step(13, "B1", StepKind::Expect("{\"a\":1}".to_owned())),
            step(14, "A", StepKind::SendClose(1000, "so long".to_owned())),
            step(15, "A", StepKind::ExpectClose(1000, "so long".to_owned())),
            step(16, "A", open("/", None)),
            step(17, "A", StepKind::Expect("close up".to_owned())),
            step(18, "A", StepKind::Send("GET on with it".to_owned())),
        ];
        assert_eq!(blocks, [Block { line: 6, kind: Kind::Transcript(steps) }]);
    }

    #[test]
    fn requests_and_answers_are_told_apart() {
        let document = "```http\n> GET /healthz HTTP/1.1\n> Host: x\n>\n< HTTP/1.1 200 OK\n< Content-Type: text/plain\n<\n\
                        < ok\n< fine\n\n> GET /nowhere! HTTP/1.1\n> Host: x\n< HTTP/1.1 404 Not Found\n```";
        let blocks = parse(document).unwrap();
        let [Block { line: 1, kind: Kind::Http(exchanges) }] = blocks.as_slice() else { panic!("{blocks:?}") };
        assert_eq!(exchanges[0].request, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(exchanges[0].status_line, "HTTP/1.1 200 OK");
        assert_eq!(exchanges[0].headers, [("Content-Type".to_owned(), "text/plain".to_owned())]);
        assert_eq!(exchanges[0].body.as_deref(), Some("ok\nfine"));
        assert_eq!(exchanges[1].request, "GET /nowhere! HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!((exchanges[1].line, exchanges[1].body.as_deref()), (11, None));
    }

    #[test]
    fn what_cannot_be_understood_is_named_by_its_line() {
        for (block, error) in [
            ("transcript\nA> hello", "2: A is not open: A> hello"),
            ("transcript\nA< hello", "2: A is not open: A< hello"),
            ("transcript\nhello", "2: expected a name and > < or |: hello"),
            ("transcript\nA: hello", "2: expected > < or | after A: A: hello"),
            ("transcript\nA> GET /\nA| x", "3: A| goes on with nothing of A"),
            ("http\n< HTTP/1.1 200 OK", "2: an answer before its request"),
            ("http\n> GET / HTTP/1.1", "2: a request without an answer"),
        ] {
            assert_eq!(parse(&format!("```{block}\n```\n")).unwrap_err(), error);
        }
    }
}
