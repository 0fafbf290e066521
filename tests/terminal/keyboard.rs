//! A terminal's answers and key encodings, as bytes.

use super::{
    joined,
    pty::Pty,
    support::{raw::RawPeer, server::start},
};

/// The answers of terminals to the query for kitty's keyboard protocol, and to the last query
/// (DA1).
const KITTY: &str = "\u{1b}[?0u";
const ATTRIBUTES: &str = "\u{1b}[?62;22c";

#[tokio::test]
async fn kittys_keyboard_is_asked_for_and_given_back_however_the_client_ends() {
    let server = start().await;
    for signal in [None, Some("TERM"), Some("HUP"), Some("INT")] {
        let mut client = joined(&server, 80, 24).await;
        client.writes("\u{1b}[?u", 1).await;
        client.write(format!("{KITTY}{ATTRIBUTES}"));
        client.writes("\u{1b}[>5u", 1).await;
        match signal {
            None => client.write("\u{4}"),
            Some(signal) => client.signal(signal),
        }
        client.ended().await;
        client.writes("\u{1b}[<u", 1).await;
        assert_eq!((client.count("\u{1b}[>5u"), client.count("\u{1b}[<u")), (1, 1), "{signal:?}");
        assert_eq!(client.count("\u{1b}[>4;1m"), 0, "one of the two is enough");
    }
}

#[tokio::test]
async fn modify_other_keys_is_asked_for_where_there_is_nothing_better_and_given_back() {
    let server = start().await;
    for signal in [None, Some("TERM")] {
        let mut client = joined(&server, 80, 24).await;
        client.write(ATTRIBUTES);
        client.writes("\u{1b}[>4;1m", 1).await;
        match signal {
            None => client.write("\u{4}"),
            Some(signal) => client.signal(signal),
        }
        client.ended().await;
        client.writes("\u{1b}[>4m", 1).await;
        assert_eq!(client.count("\u{1b}[>5u"), 0);
    }
}

#[tokio::test]
async fn a_console_that_would_show_the_questions_is_asked_nothing() {
    let server = start().await;
    let address = server.address.to_string();
    let mut client =
        Pty::start(80, 24, &["env", "TERM=linux", env!("CARGO_BIN_EXE_client"), &address, "--nick", "ada"]);
    client.shows("#lobby").await;
    client.typed(">").await;
    assert_eq!(["\u{1b}[?u", "\u{1b}]11;?", "\u{1b}[>0q", "\u{1b}[c"].map(|question| client.count(question)), [0; 4]);
}

#[tokio::test]
async fn the_ground_is_asked_for_again_and_where_none_is_told_the_colours_are_for_both() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    client.writes("\u{1b}]11;?", 1).await;
    // Grey on dark, on an unknown background, and on light.
    client.writes("38;5;248", 1).await;
    client.write(ATTRIBUTES);
    client.writes("38;5;243", 1).await;
    assert_eq!(client.count("38;5;240"), 0);
    for (asked, input) in ["\u{1b}[I", "\u{c}"].iter().enumerate() {
        client.write(input);
        client.writes("\u{1b}]11;?", asked + 2).await;
    }
    client.write("\u{1b}]11;rgb:ffff/ffff/ffff\u{7}");
    client.writes("38;5;240", 1).await;
}

#[tokio::test]
async fn every_spelling_of_a_line_break_breaks_the_line() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    let mut peer = RawPeer::connect(server.address, "/?nick=bob").await;
    client.shows("2 here").await;
    for (number, key) in [
        "\u{1b}[13;2u",    // Shift-Enter: kitty, and xterm with formatOtherKeys
        "\u{1b}[13;2:1u",  // kitty, with the kind of event
        "\u{1b}[27;2;13~", // xterm's modifyOtherKeys
        "\u{1b}[27;3;13~", // Alt-Enter there
        "\u{1b}[13;3u",    // Alt-Enter: kitty
        "\u{1b}\r",        // Alt-Enter: all others
        "\n",              // Ctrl-J
        "\u{1b}[106;5u",   // Ctrl-J: kitty
    ]
    .into_iter()
    .enumerate()
    {
        client.write(format!("{number}"));
        client.typed(&format!("> {number}")).await;
        client.write(key);
        client.typed("").await;
        client.write("b");
        client.typed("  b").await;
        client.write("\r");
        assert_eq!(peer.line_with("ada: ").await, format!("ada: {number}\n    b"), "{key:?}");
        client.typed(">").await;
    }
}

#[tokio::test]
async fn keys_of_six_terminals_do_what_they_say() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    let (left, right) = (
        // xterm and most, rxvt, xterm with modifyCursorKeys 1, kitty, and xterm with
        // modifyCursorKeys 0
        ["\u{1b}[1;5D", "\u{1b}Od", "\u{1b}[5D", "\u{1b}[1;5:1D", "\u{1b}O5D"],
        ["\u{1b}[1;5C", "\u{1b}Oc", "\u{1b}[5C", "\u{1b}[1;5:1C", "\u{1b}O5C"],
    );
    for (left, right) in left.into_iter().zip(right) {
        client.write("one two");
        client.typed("> one two").await;
        client.write(left);
        client.write("-");
        client.wait(&format!("{left:?} to go left"), |screen| screen.contents().contains("> one -two")).await;
        client.write(right);
        client.write("+");
        client.typed("> one -two+").await;
        client.write("\u{3}");
        client.typed(">").await;
    }
    // xterm, rxvt, the Linux console and screen, xterm's application mode; then the delete keys:
    // plain, with Shift, rxvt's with Shift.
    for (home, end) in [
        ("\u{1b}[H", "\u{1b}[F"),
        ("\u{1b}[7~", "\u{1b}[8~"),
        ("\u{1b}[1~", "\u{1b}[4~"),
        ("\u{1b}OH", "\u{1b}OF"),
        ("\u{1b}[1;1H", "\u{1b}[1;1F"),
    ] {
        for delete in ["\u{1b}[3~", "\u{1b}[3;2~", "\u{1b}[3$"] {
            client.write("one");
            client.typed("> one").await;
            client.write(format!("{home}<"));
            client.typed("> <one").await;
            client.write(format!("{delete}{end}>"));
            client.typed("> <ne>").await;
            client.write("\u{3}");
            client.typed(">").await;
        }
        for delete in ["\u{1b}[3;5~", "\u{1b}[3^"] {
            client.write("one two");
            client.typed("> one two").await;
            client.write(format!("{home}{delete}x"));
            client.typed("> x two").await;
            client.write("\u{3}");
            client.typed(">").await;
        }
    }
}

#[tokio::test]
async fn an_answer_is_never_typed_wherever_a_network_cuts_it() {
    let server = start().await;
    let mut client = joined(&server, 80, 24).await;
    let mut rows = 24;
    for answer in [
        "\u{1b}]11;rgb:1e1e/1e1e/2e2e\u{7}",
        "\u{1b}]11;rgb:1e1e/1e1e/2e2e\u{1b}\\",
        "\u{1b}P>|XTerm(379)\u{1b}\\",
        "\u{1b}_Gi=31;OK\u{1b}\\",
        "\u{1b}[?62;22c",
    ] {
        for at in 2..answer.len() {
            let before = client.count("\u{1b}");
            client.write(&answer[..at]);
            // The redraw after a resize can be waited for: everything written before has been read
            // by then.
            rows = 47 - rows;
            client.resize(80, rows);
            client.writes("\u{1b}", before + 1).await;
            client.write(&answer[at..]);
        }
        client.write("x");
        client.typed("> x").await;
        client.write("\u{3}");
        client.typed(">").await;
    }
}
