//! Each key in the spellings of terminals, and whatever a terminal answers. The table of keys is in
//! `docs/terminals.md`, too.

use super::*;

const NONE: KeyModifiers = KeyModifiers::NONE;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const ALT: KeyModifiers = KeyModifiers::ALT;
const CONTROL: KeyModifiers = KeyModifiers::CONTROL;

/// Returns what comes of `reads`, each with the pause before it, and of the time after them.
fn read(reads: &[(Duration, &str)]) -> Vec<Input> {
    let (mut keys, mut bytes, mut now) = (Keys::default(), Bytes::default(), Duration::ZERO);
    let mut inputs = Vec::new();
    for (pause, text) in reads {
        now += *pause;
        while let Some(at) = keys.wake_at().filter(|at| *at <= now) {
            inputs.extend(keys.wake(at));
        }
        let events = bytes.feed(text.as_bytes());
        inputs.extend(events.into_iter().flat_map(|event| keys.feed(event, now)).collect::<Vec<_>>());
        inputs.extend(keys.drained());
    }
    while let Some(at) = keys.wake_at() {
        inputs.extend(keys.wake(at));
    }
    inputs
}

/// A key, and its spellings where terminals differ: xterm, xterm with modifyOtherKeys, kitty and
/// those that speak its protocol (foot, Ghostty, `WezTerm`, Alacritty), rxvt, the Linux console,
/// `PuTTY`, tmux, GNU screen, a VT220.
const KEYS: &[(KeyCode, KeyModifiers, &[&str])] = &[
    (KeyCode::Up, NONE, &["\x1b[A", "\x1bOA", "\x1b[1;1A", "\x1b[1;129A", "\x1b[57419u"]),
    (KeyCode::Down, NONE, &["\x1b[B", "\x1bOB", "\x1b[1;65B", "\x1b[57420u"]),
    (KeyCode::Right, NONE, &["\x1b[C", "\x1bOC", "\x1b[1;1:1C", "\x1b[57418u"]),
    (KeyCode::Left, NONE, &["\x1b[D", "\x1bOD", "\x1b[1;193D", "\x1b[57417u"]),
    (KeyCode::Up, SHIFT, &["\x1b[1;2A", "\x1b[a", "\x1bO2A", "\x1b[1;66A"]),
    (KeyCode::Down, SHIFT, &["\x1b[1;2B", "\x1b[b", "\x1bO2B", "\x1b[1;130B"]),
    (KeyCode::Left, CONTROL, &["\x1b[1;5D", "\x1bOd", "\x1bO5D", "\x1bO1;5D", "\x1b[1;69D"]),
    (KeyCode::Right, CONTROL, &["\x1b[1;5C", "\x1bOc", "\x1bO5C", "\x1bO1;5C", "\x1b[1;133C"]),
    (KeyCode::Left, ALT, &["\x1b[1;3D", "\x1b\x1b[D", "\x1b\x1bOD", "\x1b[1;67D"]),
    (KeyCode::Right, ALT, &["\x1b[1;3C", "\x1b\x1b[C", "\x1b\x1bOC", "\x1b[1;131C"]),
    (KeyCode::Home, NONE, &["\x1b[H", "\x1bOH", "\x1b[7~", "\x1b[1~", "\x1b[57423u", "\x1b[1;129H"]),
    (KeyCode::End, NONE, &["\x1b[F", "\x1bOF", "\x1b[8~", "\x1b[4~", "\x1b[57424u", "\x1b[1;129F"]),
    (KeyCode::Home, CONTROL, &["\x1b[1;5H", "\x1b[7^", "\x1bO5H", "\x1b[1;5~", "\x1b[57423;5u"]),
    (KeyCode::End, CONTROL, &["\x1b[1;5F", "\x1b[8^", "\x1bO5F", "\x1b[4;5~", "\x1b[57424;5u"]),
    (KeyCode::Home, ALT, &["\x1b[1;3H", "\x1b\x1b[7~", "\x1b\x1b[1~", "\x1b[1;3~"]),
    (KeyCode::Insert, NONE, &["\x1b[2~", "\x1b[57425u", "\x1b[2;129~"]),
    (KeyCode::Delete, NONE, &["\x1b[3~", "\x1b[57426u", "\x1b[3;129~"]),
    (KeyCode::Delete, SHIFT, &["\x1b[3;2~", "\x1b[3$", "\x1b[3;130~"]),
    (KeyCode::Delete, CONTROL, &["\x1b[3;5~", "\x1b[3^", "\x1b[57426;5u"]),
    (KeyCode::Delete, ALT, &["\x1b[3;3~", "\x1b\x1b[3~"]),
    (KeyCode::Delete, CONTROL.union(SHIFT), &["\x1b[3;6~", "\x1b[3@"]),
    (KeyCode::PageUp, NONE, &["\x1b[5~", "\x1b[57421u", "\x1b[5;129~"]),
    (KeyCode::PageDown, NONE, &["\x1b[6~", "\x1b[57422u", "\x1b[6;129~"]),
    (KeyCode::PageUp, SHIFT, &["\x1b[5;2~", "\x1b[5$"]),
    (KeyCode::PageDown, CONTROL, &["\x1b[6;5~", "\x1b[6^"]),
    (KeyCode::F(1), NONE, &["\x1bOP", "\x1b[11~", "\x1b[[A", "\x1b[P", "\x1b[1;129P"]),
    (KeyCode::F(2), NONE, &["\x1bOQ", "\x1b[12~", "\x1b[[B", "\x1b[Q"]),
    (KeyCode::F(3), NONE, &["\x1bOR", "\x1b[13~", "\x1b[[C", "\x1b[R"]),
    (KeyCode::F(4), NONE, &["\x1bOS", "\x1b[14~", "\x1b[[D", "\x1b[S"]),
    (KeyCode::F(5), NONE, &["\x1b[15~", "\x1b[[E", "\x1b[15;129~"]),
    (KeyCode::F(6), NONE, &["\x1b[17~"]),
    (KeyCode::F(7), NONE, &["\x1b[18~"]),
    (KeyCode::F(8), NONE, &["\x1b[19~"]),
    (KeyCode::F(9), NONE, &["\x1b[20~", "\x1b[20;1~"]),
    (KeyCode::F(10), NONE, &["\x1b[21~"]),
    (KeyCode::F(11), NONE, &["\x1b[23~"]),
    (KeyCode::F(12), NONE, &["\x1b[24~"]),
    (KeyCode::F(1), SHIFT, &["\x1b[1;2P", "\x1bO2P", "\x1bO1;2P", "\x1b[11;2~", "\x1b[11$"]),
    (KeyCode::F(9), CONTROL, &["\x1b[20;5~", "\x1b[20^"]),
    (
        KeyCode::Enter,
        NONE,
        &["\r", "\x1bOM", "\x1b[57414u", "\x1b[13u", "\x1b[13;129u", "\x1b[109;5u", "\x1b[27;5;109~"],
    ),
    (KeyCode::Enter, SHIFT, &["\x1b[13;2u", "\x1b[27;2;13~", "\x1b[57414;2u", "\x1b[13;66u", "\x1b[13;2:1u"]),
    (KeyCode::Enter, ALT, &["\x1b\r", "\x1b[13;3u", "\x1b[27;3;13~", "\x1b[109;7u"]),
    (KeyCode::Enter, CONTROL, &["\x1b[13;5u", "\x1b[27;5;13~"]),
    (KeyCode::Char('j'), CONTROL, &["\n", "\x1b[106;5u", "\x1b[27;5;106~", "\x1b[106;69u", "\x1b[74;6u"]),
    (KeyCode::Tab, NONE, &["\t", "\x1b[9u", "\x1b[105;5u", "\x1b[27;5;105~"]),
    (KeyCode::BackTab, SHIFT, &["\x1b[Z", "\x1b[9;2u", "\x1b[27;2;9~", "\x1b[1;2Z"]),
    (KeyCode::Esc, NONE, &["\x1b", "\x1b[27u", "\x1b[27;1u", "\x1b[27;129u", "\x1b[27;1;27~", "\x1b[91;5u"]),
    (KeyCode::Backspace, NONE, &["\x7f", "\x1b[127u", "\x1b[127;129u", "\x1b[8u"]),
    (KeyCode::Backspace, CONTROL, &["\x1b[127;5u", "\x1b[27;5;127~", "\x1b[127;69u", "\x1b[27;5;8~"]),
    (KeyCode::Backspace, ALT, &["\x1b\x7f", "\x1b[127;3u", "\x1b[27;3;127~"]),
    (KeyCode::Backspace, SHIFT, &["\x1b[127;2u", "\x1b[27;2;127~"]),
    (KeyCode::Char(' '), CONTROL, &["\0", "\x1b[32;5u", "\x1b[27;5;32~", "\x1b[64;6u", "\x1b[50;5u"]),
    (KeyCode::Char(' '), NONE, &[" ", "\x1b[32;2u", "\x1b[27;2;32~", "\x1bO "]),
    (
        KeyCode::Char('a'),
        CONTROL,
        &["\x01", "\x1b[97;5u", "\x1b[97;69u", "\x1b[97:65;6u", "\x1b[27;6;65~", "\x1b[1092::97;5u"],
    ),
    (
        KeyCode::Char('c'),
        CONTROL,
        &["\x03", "\x1b[99;5u", "\x1b[99;133u", "\x1b[1089::99;5u", "\x1b[99;5:1u", "\x1b[27;5;99~"],
    ),
    (KeyCode::Char('h'), CONTROL, &["\x08", "\x1b[104;5u"]),
    (KeyCode::Char('z'), CONTROL, &["\x1a", "\x1b[122;5u", "\x1b[122:90;6u"]),
    (KeyCode::Char('_'), CONTROL, &["\x1b[45:95;6u", "\x1b[45;6u", "\x1b[27;6;95~"]),
    (KeyCode::Char('7'), CONTROL, &["\x1f", "\x1b[55;5u", "\x1b[27;5;55~"]),
    (KeyCode::Char('/'), CONTROL, &["\x1b[47;5u", "\x1b[27;5;47~"]),
    (KeyCode::Char('b'), ALT, &["\x1bb", "\x1b[98;3u", "\x1b[27;3;98~", "\x1b[1080::98;3u"]),
    (KeyCode::Char('a'), ALT, &["\x1ba", "\x1b[97;3u", "\x1b[97;131u"]),
    (KeyCode::Char('A'), ALT.union(SHIFT), &["\x1bA", "\x1b[97;4u", "\x1b[97:65;4u", "\x1b[27;4;65~"]),
    (KeyCode::Char('1'), ALT, &["\x1b1", "\x1b[49;3u", "\x1b[27;3;49~", "\x1b[49;131u"]),
    (KeyCode::Char('A'), SHIFT, &["A", "\x1b[97;2u", "\x1b[97:65;2u", "\x1b[97;2;65u", "\x1b[27;2;65~", "\x1b[97;65u"]),
    (KeyCode::Char('a'), NONE, &["a", "\x1b[97u", "\x1b[97;1u", "\x1b[97;66u", "\x1b[97;129u", "\x1b[97;;97u"]),
    (KeyCode::Char('é'), NONE, &["é", "\x1b[233u", "\x1b[101;;233u"]),
    (KeyCode::Char('!'), NONE, &["!", "\x1b[49:33;2u", "\x1b[27;2;33~", "\x1b[49;2;33u"]),
    (KeyCode::Char('1'), NONE, &["1", "\x1b[57400u", "\x1b[57400;129u", "\x1bOq"]),
    (KeyCode::Char('+'), NONE, &["+", "\x1b[57413u", "\x1bOk"]),
];

#[test]
fn each_key_is_itself_in_every_spelling_and_wherever_it_is_cut() {
    for (code, modifiers, spellings) in KEYS {
        let is_it = |inputs: &[Input], how: &str| {
            let [Input::Key(key)] = inputs else { panic!("{code:?} {modifiers:?} {how}: {inputs:?}") };
            assert_eq!((key.code, key.modifiers), (*code, *modifiers), "{how}");
        };
        for spelling in *spellings {
            is_it(&read(&[(Duration::ZERO, spelling)]), &format!("{spelling:?}"));
            for at in (1..spelling.len()).filter(|at| spelling.is_char_boundary(*at)) {
                let (first, second) = spelling.split_at(at);
                let pause = Duration::from_millis(49);
                is_it(&read(&[(Duration::ZERO, first), (pause, second)]), &format!("{first:?}, {second:?}"));
            }
        }
    }
}

#[test]
fn each_key_leaves_the_keys_beside_it() {
    let letter = |c: char| Input::Key(KeyEvent::from(KeyCode::Char(c)));
    // Characters and line breaks become one text with those beside them.
    let is_sequence = |spelling: &&&str| spelling.len() > 2 && spelling.starts_with('\u{1b}');
    for (code, _, spellings) in KEYS.iter().filter(|(code, ..)| !matches!(code, KeyCode::Char(_) | KeyCode::Enter)) {
        for spelling in spellings.iter().filter(is_sequence) {
            let inputs = read(&[(Duration::ZERO, &format!("a{spelling}b"))]);
            assert_eq!(
                (inputs.first(), inputs.last()),
                (Some(&letter('a')), Some(&letter('b'))),
                "{code:?} {spelling:?}"
            );
            assert_eq!(inputs.len(), 3, "{code:?} {spelling:?}");
        }
    }
}

#[test]
fn a_key_that_nobody_knows_does_nothing_and_takes_no_other_with_it() {
    let unknown = [
        "\x1b[1;2R",
        "\x1b[E",
        "\x1bOE",
        "\x1b[57427u",
        "\x1b[57361u",
        "\x1b[57441;2u",
        "\x1b[99~",
        "\x1b[1;5x",
        "\x1bO5z",
        "\x1b[27;5~",
        "\x1b[27;5;~",
        "\x1b[99999999999u",
        "\x1b[55296u",
        "\x1b[1114112;5u",
        "\x1b[>A",
        "\x1b[?B",
        "\x1b[ A",
        "\x1b[1 q",
        "\x1b[0u",
        "\x1b[;;u",
        "\x1b[::;::u",
        "\x1b[97;5:3u",
        "\x1b[1;1:3D",
        "\x1b[27;1:3u",
        "\x1b[[Z",
        "\x1b[L",
    ];
    let letter = |c: char| Input::Key(KeyEvent::from(KeyCode::Char(c)));
    for sequence in unknown {
        assert_eq!(
            read(&[(Duration::ZERO, &format!("a{sequence}b"))]),
            ["a", "b"].map(|c| letter(c.parse().unwrap())),
            "{sequence:?}"
        );
    }
}

/// What terminals answer and report, and what we make of it.
fn answers() -> Vec<(&'static str, Option<Input>)> {
    let ground = Some(Input::Answer(Answer::Ground([0x1e, 0x1e, 0x2e])));
    let attributes = Some(Input::Answer(Answer::Attributes));
    vec![
        ("\x1b]11;rgb:1e1e/1e1e/2e2e\x07", ground.clone()),
        ("\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\", ground),
        ("\x1b]10;rgb:dcdc/dcdc/cccc\x1b\\", None),
        ("\x1b]4;1;rgb:cdcd/0000/0000\x07", None),
        ("\x1b]52;c;c2VjcmV0\x1b\\", None),
        ("\x1b]lé title\x1b\\", None),
        ("\x1b]Licon\x1b\\", None),
        ("\x1b]99;i=1:p=?;\x1b\\", None),
        ("\x1bP>|XTerm(379)\x1b\\", Some(Input::Answer(Answer::Name("XTerm(379)".to_owned())))),
        ("\x1bP1$r0m\x1b\\", None),
        ("\x1bP0+r524742\x1b\\", None),
        ("\x1bP!|00000000\x1b\\", None),
        ("\x1bPtmux;answer\x1b\\", None),
        ("\x1b_Gi=31;OK\x1b\\", None),
        ("\x1b_any application\x1b\\", None),
        ("\x1b^a private message\x1b\\", None),
        ("\x1bXa string of any kind\x1b\\", None),
        ("\x1b[?62;22c", attributes.clone()),
        ("\x1b[?6c", attributes),
        ("\x1b[>1;10;0c", None),
        ("\x1b[=0c", None),
        ("\x1b[0n", None),
        ("\x1b[24;80R", None),
        ("\x1b[1;5R", None),
        ("\x1b[?1;1;1R", None),
        ("\x1b[?2026;2$y", None),
        ("\x1b[4;1$y", None),
        ("\x1b[8;24;80t", None),
        ("\x1b[?997;1n", None),
        ("\x1b[?0u", Some(Input::Answer(Answer::Keyboard))),
        ("\x1b[>4;1m", None),
        ("\x1b[<0;12;7M", None),
        ("\x1b[M !!", None),
        ("\x1b[I", Some(Input::Focus(true))),
        ("\x1b[O", Some(Input::Focus(false))),
    ]
}

#[test]
fn an_answer_is_never_typed_wherever_it_is_cut_and_however_long_a_network_takes() {
    let typed = [Input::Key(KeyCode::Char('x').into())];
    for (answer, input) in answers() {
        let expected: Vec<_> = input.into_iter().chain(typed.clone()).collect();
        let pause = 3 * LOST;
        assert_eq!(read(&[(Duration::ZERO, answer), (pause, "x")]), expected, "{answer:?}");
        for at in (1..answer.len()).filter(|at| answer.is_char_boundary(*at)) {
            let (first, second) = answer.split_at(at);
            for stall in [Duration::ZERO, Duration::from_millis(49), Duration::from_millis(200)] {
                let mut inputs = read(&[(Duration::ZERO, first), (stall, second), (pause, "x")]);
                // Esc is handed on before its rest can be known.
                if first == "\x1b" && stall >= ESCAPE {
                    assert_eq!(inputs.remove(0), Input::Key(KeyCode::Esc.into()), "{answer:?}");
                }
                assert_eq!(inputs, expected, "{first:?}, {stall:?}, {second:?}");
            }
        }
        // Byte by byte, as a slow line brings it.
        let mut bytes: Vec<_> =
            answer.char_indices().map(|(at, c)| (Duration::from_millis(40), &answer[at..at + c.len_utf8()])).collect();
        bytes.push((pause, "x"));
        let inputs = read(&bytes);
        assert_eq!(inputs, expected, "{answer:?}");
    }
}

#[test]
fn an_answer_that_we_ask_for_bears_a_stall_of_nearly_a_second() {
    for answer in ["\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\", "\x1bP>|foot(1.16.2)\x1b\\", "\x1b[?62;22c", "\x1b[?0u"] {
        for at in 1..answer.len() {
            let (first, second) = answer.split_at(at);
            let inputs = read(&[(Duration::ZERO, first), (Duration::from_millis(900), second)]);
            let answers = inputs.iter().filter(|input| matches!(input, Input::Answer(_))).count();
            let others = inputs.iter().filter(|input| !matches!(input, Input::Answer(_))).collect::<Vec<_>>();
            assert_eq!(answers, 1, "{first:?} {inputs:?}");
            let escape = Input::Key(KeyCode::Esc.into());
            assert!(others.is_empty() || first == "\x1b" && others == [&escape], "{first:?} {inputs:?}");
        }
    }
}

#[test]
fn a_key_whose_esc_came_long_before_is_still_one() {
    let esc = Input::Key(KeyCode::Esc.into());
    let late = |second: &str| read(&[(Duration::ZERO, "\x1b"), (Duration::from_millis(400), second)]);
    for (second, code) in [("[D", KeyCode::Left), ("OA", KeyCode::Up), ("[3~", KeyCode::Delete), ("[27u", KeyCode::Esc)]
    {
        assert_eq!(late(second), [esc.clone(), Input::Key(code.into())], "{second:?}");
    }
    assert_eq!(late("[200~hi\r\x1b[201~"), [esc.clone(), Input::Paste("hi\r".to_owned())]);
    // Hands type one character a read, and words.
    for text in ["[", "O", "]", "P", "OK", "One", "Po", "X-ray", "^^", "word", "OH no"] {
        let typed: String = late(text)
            .iter()
            .skip(1)
            .map(|input| match input {
                Input::Key(KeyEvent { code: KeyCode::Char(c), .. }) => *c,
                other => panic!("{text:?}: {other:?}"),
            })
            .collect();
        assert_eq!(typed, text);
    }
    // After a while nothing is left of it.
    let inputs = read(&[(Duration::ZERO, "\x1b"), (2 * LOST, "[D")]);
    assert_eq!(inputs.len(), 3, "{inputs:?}");
}

#[test]
fn an_answer_without_an_end_keeps_nobody_from_typing() {
    let key = |c: char| Input::Key(bytes::key(c));
    let after = |pause, text: &str| read(&[(Duration::ZERO, "\x1b]11;rgb"), (pause, text)]);
    assert_eq!(after(SILENCE, "x"), [key('x')]);
    assert_eq!(after(Duration::from_millis(49), "\r"), [key('\r')]);
    assert_eq!(after(Duration::from_millis(49), "\x1b[D"), [Input::Key(KeyCode::Left.into())]);
    assert_eq!(after(Duration::from_millis(49), "\x1bb"), [Input::Key(KeyEvent::new(KeyCode::Char('b'), ALT))]);
    assert_eq!(after(LOST, "hello"), "hello".chars().map(key).collect::<Vec<_>>());
    // Who types without a pause is heard after two seconds.
    let mut reads = vec![(Duration::ZERO, "\x1b]11;rgb")];
    reads.extend([(Duration::from_millis(200), "x")].repeat(12));
    assert_eq!(read(&reads), vec![key('x'); 3]);
    // However long it is, it takes no room, and it ends.
    let mut keys = Keys::default();
    for c in "\x1b]11;".chars().chain(std::iter::repeat_n('x', ANSWER)) {
        keys.feed(Event::Key(bytes::key(c)), Duration::ZERO);
        assert!(keys.answer.as_ref().is_none_or(|answer| answer.text.len() <= answer::LONGEST));
    }
    assert!(keys.answer.is_none());
    // What begins as one and has no end is a key with Alt, whatever is typed behind it.
    for behind in ["", "x", "é", "\r", "aye", "ay\r"] {
        let inputs = read(&[(Duration::ZERO, &format!("\x1bP{behind}"))]);
        let with_alt = Input::Key(KeyEvent::new(KeyCode::Char('P'), ALT | SHIFT));
        assert_eq!(inputs, [vec![with_alt], behind.chars().map(key).collect()].concat(), "{behind:?}");
    }
}
