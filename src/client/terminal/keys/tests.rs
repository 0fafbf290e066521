//! Every place in which a read can cut what a terminal sends.

use proptest::prelude::*;

use super::*;

/// Just within [`ESCAPE`].
const WITHIN: Duration = Duration::from_millis(49);

const NONE: KeyModifiers = KeyModifiers::NONE;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const ALT: KeyModifiers = KeyModifiers::ALT;
const CONTROL: KeyModifiers = KeyModifiers::CONTROL;

fn key(code: KeyCode, modifiers: KeyModifiers) -> Input {
    Input::Key(KeyEvent::new(code, modifiers))
}

fn typed(c: char) -> Input {
    key(KeyCode::Char(c), if c.is_uppercase() { SHIFT } else { NONE })
}

/// Returns the event of one character.
fn event(c: char) -> Event {
    Event::Key(bytes::key(c))
}

/// Feeds `text`, `pause` before each character. Without a pause all of it is read together.
fn feed(keys: &mut Keys, text: &str, now: &mut Duration, pause: Duration) -> Vec<Input> {
    let mut inputs = Vec::new();
    for c in text.chars() {
        *now += pause;
        inputs.extend(keys.feed(event(c), *now));
        if !pause.is_zero() {
            inputs.extend(keys.drained());
        }
    }
    inputs.extend(keys.drained());
    inputs
}

/// Feeds `events`, which are read together at `now`.
fn read(keys: &mut Keys, events: impl IntoIterator<Item = Event>, now: Duration) -> Vec<Input> {
    let mut inputs: Vec<_> = events.into_iter().flat_map(|event| keys.feed(event, now)).collect();
    inputs.extend(keys.drained());
    inputs
}

/// Returns what comes of the time that passes when nothing more is read.
fn silence(keys: &mut Keys) -> Vec<Input> {
    let mut inputs = Vec::new();
    while let Some(at) = keys.wake_at() {
        inputs.extend(keys.wake(at));
    }
    inputs
}

/// Returns the keys that write `text`.
fn typed_text(text: &str) -> Vec<Input> {
    text.chars().map(|c| if c == '\r' { key(KeyCode::Enter, NONE) } else { typed(c) }).collect()
}

/// Returns what comes of `text`, fed without a pause, and of the time after it.
fn fed(text: &str) -> Vec<Input> {
    let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
    let mut inputs = feed(&mut keys, text, &mut now, Duration::ZERO);
    inputs.extend(silence(&mut keys));
    inputs
}

/// Sequences of terminals, and what they mean.
fn sequences() -> Vec<(&'static str, Option<Input>)> {
    let one = |code| Some(key(code, NONE));
    vec![
        ("[A", one(KeyCode::Up)),
        ("[B", one(KeyCode::Down)),
        ("[C", one(KeyCode::Right)),
        ("[D", one(KeyCode::Left)),
        ("[H", one(KeyCode::Home)),
        ("[F", one(KeyCode::End)),
        ("OA", one(KeyCode::Up)),
        ("OD", one(KeyCode::Left)),
        ("OH", one(KeyCode::Home)),
        ("OP", one(KeyCode::F(1))),
        ("OS", one(KeyCode::F(4))),
        ("Oc", Some(key(KeyCode::Right, CONTROL))),
        ("[b", Some(key(KeyCode::Down, SHIFT))),
        ("[5$", Some(key(KeyCode::PageUp, SHIFT))),
        ("[7^", Some(key(KeyCode::Home, CONTROL))),
        ("[8@", Some(key(KeyCode::End, CONTROL | SHIFT))),
        ("OM", one(KeyCode::Enter)),
        ("Oq", Some(typed('1'))),
        ("Ok", Some(typed('+'))),
        ("[[A", one(KeyCode::F(1))),
        ("[[E", one(KeyCode::F(5))),
        ("[1~", one(KeyCode::Home)),
        ("[2~", one(KeyCode::Insert)),
        ("[3~", one(KeyCode::Delete)),
        ("[4~", one(KeyCode::End)),
        ("[5~", one(KeyCode::PageUp)),
        ("[6~", one(KeyCode::PageDown)),
        ("[15~", one(KeyCode::F(5))),
        ("[17~", one(KeyCode::F(6))),
        ("[21~", one(KeyCode::F(10))),
        ("[24~", one(KeyCode::F(12))),
        ("[Z", Some(key(KeyCode::BackTab, SHIFT))),
        ("[1;5A", Some(key(KeyCode::Up, CONTROL))),
        ("[1;3D", Some(key(KeyCode::Left, ALT))),
        ("[1;2B", Some(key(KeyCode::Down, SHIFT))),
        ("[1;6H", Some(key(KeyCode::Home, CONTROL | SHIFT))),
        ("[1;2P", Some(key(KeyCode::F(1), SHIFT))),
        ("[3;5~", Some(key(KeyCode::Delete, CONTROL))),
        ("[13;3u", Some(key(KeyCode::Enter, ALT))),
        ("[13;2u", Some(key(KeyCode::Enter, SHIFT))),
        ("[27u", one(KeyCode::Esc)),
        ("[9;2u", Some(key(KeyCode::BackTab, SHIFT))),
        ("[127;5u", Some(key(KeyCode::Backspace, CONTROL))),
        ("[99;5u", Some(key(KeyCode::Char('c'), CONTROL))),
        ("[97:65;2u", Some(key(KeyCode::Char('A'), SHIFT))),
        ("[57399u", Some(key(KeyCode::Char('0'), NONE))),
        ("[57426u", one(KeyCode::Delete)),
        ("[99;5:3u", None),
        ("[1;1:3A", None),
        ("[I", Some(Input::Focus(true))),
        ("[O", Some(Input::Focus(false))),
        ("[201~", None),
        ("[?62;22c", Some(Input::Answer(Answer::Attributes))),
        ("[24;80R", None),
        ("[<0;12;7M", None),
    ]
}

#[test]
fn a_sequence_cut_behind_its_esc_is_still_one_key() {
    for (sequence, input) in sequences() {
        for pause in [Duration::ZERO, WITHIN] {
            let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
            let mut inputs = feed(&mut keys, &format!("\u{1b}{sequence}"), &mut now, pause);
            inputs.extend(silence(&mut keys));
            assert_eq!(inputs, input.iter().cloned().collect::<Vec<_>>(), "{sequence}");
            assert_eq!(keys.wake_at(), None, "{sequence}");
        }
    }
}

#[test]
fn a_key_that_crossterm_has_put_together_goes_through() {
    let mut keys = Keys::default();
    let up = KeyEvent::new(KeyCode::Up, ALT);
    assert_eq!(keys.feed(Event::Key(up), Duration::ZERO), [Input::Key(up)]);
    assert_eq!(keys.feed(Event::FocusLost, Duration::ZERO), [Input::Focus(false)]);
    assert_eq!(keys.feed(Event::Paste("a\r".to_owned()), Duration::ZERO), [Input::Paste("a\r".to_owned())]);
    assert_eq!(keys.feed(Event::Resize(80, 24), Duration::ZERO), [Input::Resize(80, 24)]);
    let release = KeyEvent::new_with_kind(KeyCode::Up, NONE, KeyEventKind::Release);
    assert_eq!(keys.feed(Event::Key(release), Duration::ZERO), []);
    assert_eq!(keys.wake_at(), None);
}

#[test]
fn esc_alone_is_esc_after_a_while() {
    let mut keys = Keys::default();
    let at = Duration::from_secs(7);
    assert_eq!(keys.feed(event('\u{1b}'), at), []);
    assert_eq!(keys.wake_at(), Some(at + ESCAPE));
    assert_eq!(keys.wake(at + WITHIN), []);
    assert_eq!(keys.wake(at + ESCAPE), [key(KeyCode::Esc, NONE)]);
    assert_eq!(keys.wake_at(), None);
    assert_eq!(fed("\u{1b}\u{1b}"), [key(KeyCode::Esc, NONE), key(KeyCode::Esc, NONE)]);
}

#[test]
fn a_key_that_comes_later_is_a_key_of_its_own() {
    let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
    let inputs = feed(&mut keys, "\u{1b}[x", &mut now, ESCAPE);
    assert_eq!(inputs, [key(KeyCode::Esc, NONE), typed('['), typed('x')]);
}

#[test]
fn esc_and_a_character_at_once_are_alt() {
    let alt = |code| vec![key(code, ALT)];
    assert_eq!(fed("\u{1b}b"), alt(KeyCode::Char('b')));
    assert_eq!(fed("\u{1b}1"), alt(KeyCode::Char('1')));
    assert_eq!(fed("\u{1b}é"), alt(KeyCode::Char('é')));
    assert_eq!(fed("\u{1b}\r"), alt(KeyCode::Enter));
    assert_eq!(fed("\u{1b}\u{7f}"), alt(KeyCode::Backspace));
    assert_eq!(fed("\u{1b}["), alt(KeyCode::Char('[')));
    assert_eq!(fed("\u{1b}O"), [key(KeyCode::Char('O'), ALT | SHIFT)]);
    assert_eq!(fed("\u{1b}\u{2}"), [key(KeyCode::Char('b'), ALT | CONTROL)]);
}

#[test]
fn a_sequence_that_nobody_knows_is_never_typed() {
    for sequence in ["[x", "Oz", "OE", "[E", "[G", "[[Z", "[M !!", "[1;", "[20", "[1000~", "[1;5", "[1;\u{1b}[I"] {
        let inputs: Vec<_> =
            fed(&format!("ab\u{1b}{sequence}")).into_iter().filter(|input| !matches!(input, Input::Focus(_))).collect();
        assert_eq!(inputs, typed_text("ab"), "{sequence:?}");
    }
    assert_eq!(fed(&format!("\u{1b}[{}", "1".repeat(6000))), [], "nor a long one");
    // What is typed behind the beginning of one is.
    for (text, typed) in [("\u{1b}[é", "é"), ("\u{1b}[1é", "é"), ("\u{1b}O\r", "\r")] {
        assert_eq!(fed(text), typed_text(typed), "{text:?}");
    }
}

#[test]
fn a_sequence_is_one_however_long_a_network_takes_in_it() {
    let pause = Duration::from_millis(900);
    for cut in 3..6 {
        let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
        let text = "\u{1b}[200~one\r/me pasted\r\u{1b}[201~";
        let mut inputs = feed(&mut keys, &text[..cut], &mut now, Duration::ZERO);
        now += pause;
        inputs.extend(keys.wake(now));
        inputs.extend(feed(&mut keys, &text[cut..], &mut now, Duration::ZERO));
        inputs.extend(silence(&mut keys));
        assert_eq!(inputs, [Input::Paste("one\r/me pasted\r".to_owned())], "{cut}");
    }
}

#[test]
fn other_events_come_between_without_harm() {
    let mut keys = Keys::default();
    keys.feed(event('\u{1b}'), Duration::ZERO);
    assert_eq!(keys.feed(Event::Resize(80, 24), Duration::ZERO), [Input::Resize(80, 24)]);
    keys.feed(event('['), Duration::ZERO);
    assert_eq!(keys.feed(event('B'), Duration::ZERO), []);
    assert_eq!(silence(&mut keys), [key(KeyCode::Down, NONE)]);
    keys.feed(event('\u{1b}'), Duration::ZERO);
    let left = Event::Key(KeyCode::Left.into());
    assert_eq!(keys.feed(left, Duration::ZERO), [key(KeyCode::Esc, NONE), key(KeyCode::Left, NONE)]);
}

#[test]
fn a_paste_whose_end_is_lost_ends_with_a_silence() {
    let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
    let pause = WITHIN;
    assert_eq!(feed(&mut keys, "\u{1b}[200~one\r\n\ttwo\u{3}\rAB", &mut now, pause), []);
    now += Duration::from_millis(999);
    assert_eq!(keys.wake(now), []);
    assert_eq!(feed(&mut keys, "\r", &mut now, Duration::ZERO), []);
    let at = keys.wake_at().unwrap();
    assert_eq!((at, keys.wake(at)), (now + LOST, vec![Input::Paste("one\r\n\ttwo\rAB\r".to_owned())]));
    assert_eq!(feed(&mut keys, "\r", &mut now, LOST), [key(KeyCode::Enter, NONE)]);
    // What comes of it later is not typed either.
    now += LOST;
    assert_eq!(feed(&mut keys, "more\r/quit\r", &mut now, Duration::ZERO), []);
    assert_eq!(silence(&mut keys), [Input::Paste("more\r/quit\r".to_owned())]);
}

#[test]
fn the_end_of_a_paste_can_be_cut_too() {
    let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
    let mut inputs = feed(&mut keys, "\u{1b}[200~a\u{1b}[20b\u{1b}\u{1b}[201~", &mut now, Duration::ZERO);
    now += TOGETHER;
    inputs.extend(feed(&mut keys, "\r", &mut now, Duration::ZERO));
    inputs.extend(silence(&mut keys));
    assert_eq!(inputs, [Input::Paste("a\u{1b}[20b\u{1b}".to_owned()), key(KeyCode::Enter, NONE)]);
    assert_eq!(keys.wake_at(), None);
}

#[test]
fn a_key_that_no_paste_contains_ends_it() {
    let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
    feed(&mut keys, "\u{1b}[200~a\u{1b}[2", &mut now, Duration::ZERO);
    let inputs = keys.feed(Event::Key(KeyCode::Left.into()), now);
    assert_eq!(inputs, [Input::Paste("a\u{1b}[2".to_owned()), key(KeyCode::Left, NONE)]);
}

#[test]
fn lines_that_are_read_together_are_a_paste_and_wait_for_enter() {
    for text in ["one\r/quit\r", "one\r\ttwo", "/quit\rtwo\r", "\rone", "one\r\r", "one\ntwo\n", "one\r\ntwo\r\n"] {
        assert_eq!(fed(text), [Input::Paste(text.to_owned())], "{text:?}");
    }
    // Its end is told from Enter by the time.
    let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
    assert_eq!(feed(&mut keys, "one\rtwo", &mut now, Duration::ZERO), []);
    now += SILENCE;
    let inputs = feed(&mut keys, "\r", &mut now, Duration::ZERO);
    assert_eq!(inputs, [Input::Paste("one\rtwo".to_owned()), key(KeyCode::Enter, NONE)]);
}

#[test]
fn lines_that_came_together_are_a_paste_whatever_the_terminal_can() {
    let lines = "t1\r/quit\r";
    for shown in ["\u{1b}[?2004;1$y", "\u{1b}[?2004;2$y", "\u{1b}[200~pasted\u{1b}[201~", "\u{1b}[201~"] {
        let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
        feed(&mut keys, shown, &mut now, Duration::ZERO);
        silence(&mut keys);
        now += SILENCE;
        assert_eq!(feed(&mut keys, lines, &mut now, Duration::ZERO), [], "{shown:?}");
        assert_eq!(silence(&mut keys), [Input::Paste(lines.to_owned())], "{shown:?}");
    }
}

#[test]
fn what_is_no_text_does_not_part_a_paste() {
    for text in [
        "/quit\r\u{1b}[31mb\r",
        "/quit\r\u{1b}[Db\r",
        "/quit\r\u{1b}[I/quit\r",
        "/quit\r\u{1b}[200~b\r\u{1b}[201~",
        "\u{1b}[31ma\u{1b}[0m\r\u{1b}[31mb\u{1b}[0m\r",
        "a\r\u{1b}]0;t\u{7}b\r",
        "a\r\u{1b}bb\r",
        "a\r\0b\r",
        "a\r\u{3}b\r",
        "a\r\u{7f}b\r",
    ] {
        let inputs = fed(text);
        assert!(!inputs.contains(&key(KeyCode::Enter, NONE)), "{text:?} {inputs:?}");
        assert!(matches!(inputs.last(), Some(Input::Paste(_))), "{text:?} {inputs:?}");
    }
}

#[test]
fn a_key_after_a_paste_is_a_key_whatever_came_with_its_end() {
    for end in ["\u{1b}[201~", "\u{1b}[201~\u{1b}[I"] {
        let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
        let mut inputs = feed(&mut keys, &format!("\u{1b}[200~a{end}"), &mut now, Duration::ZERO);
        now += TOGETHER;
        inputs.extend(feed(&mut keys, "\r", &mut now, Duration::ZERO));
        inputs.extend(silence(&mut keys));
        assert_eq!(inputs.last(), Some(&key(KeyCode::Enter, NONE)), "{end:?}");
    }
}

#[test]
fn nothing_breaks_out_of_a_paste() {
    let end = "\u{1b}[201~";
    assert_eq!(
        fed(&format!("\u{1b}[200~nice{end} \r/me pwned\r/nick fool\r ok{end}")),
        [Input::Paste("nice \r/me pwned\r/nick fool\r ok".to_owned())],
    );
    assert_eq!(fed(&format!("\u{1b}[200~a{end}/quit\r{end}")), [Input::Paste("a/quit\r".to_owned())]);
    // Nor where a read ends behind that end.
    let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
    assert_eq!(feed(&mut keys, &format!("\u{1b}[200~a{end}"), &mut now, Duration::ZERO), []);
    now += TOGETHER / 2;
    assert_eq!(feed(&mut keys, "/quit\r", &mut now, Duration::ZERO), []);
    assert_eq!(silence(&mut keys), [Input::Paste("a/quit\r".to_owned())]);
}

#[test]
fn a_paste_is_one_wherever_a_read_or_a_network_has_parted_it() {
    let text = "one\r/quit\r\ttwo\r";
    for at in 1..text.len() {
        let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
        let mut inputs = feed(&mut keys, &text[..at], &mut now, Duration::ZERO);
        now += Duration::from_millis(29);
        inputs.extend(feed(&mut keys, &text[at..], &mut now, Duration::ZERO));
        inputs.extend(silence(&mut keys));
        // A first character that is read alone cannot be told from a typed one.
        let alone = usize::from(at == 1);
        assert_eq!(inputs[..alone], typed_text(&text[..alone]), "{at}");
        assert_eq!(inputs[alone..], [Input::Paste(text[alone..].to_owned())], "{at}");
    }
}

#[test]
fn a_line_that_is_read_with_its_enter_is_a_line() {
    assert_eq!(fed("hello\r"), typed_text("hello\r"));
    assert_eq!(fed("\u{3}hello\r"), [vec![key(KeyCode::Char('c'), CONTROL)], typed_text("hello\r")].concat());
    // What follows later was not there to be read with it.
    let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
    assert_eq!(feed(&mut keys, "hello\r", &mut now, Duration::ZERO), []);
    now += TOGETHER;
    let inputs = read(&mut keys, "you".chars().map(event), now);
    assert_eq!([inputs, silence(&mut keys)].concat(), typed_text("hello\ryou"));
}

#[test]
fn what_hands_type_comes_at_once() {
    let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
    for c in "hi, all\r".chars() {
        assert_eq!(feed(&mut keys, &c.to_string(), &mut now, TOGETHER), typed_text(&c.to_string()));
    }
}

#[test]
fn more_than_anybody_types_at_once_is_a_paste() {
    let line = "x".repeat(LINE) + "\r";
    assert_eq!(fed(&line[1..]), typed_text(&line[1..]));
    assert_eq!(fed(&line), [Input::Paste(line)]);
}

#[test]
fn arrows_that_are_read_together_are_the_wheel() {
    let arrows = |code: KeyCode, count| (0..count).map(move |_| Event::Key(code.into()));
    let mut keys = Keys::default();
    let mut now = Duration::ZERO;
    assert_eq!(read(&mut keys, arrows(KeyCode::Up, 3), now), [Input::Wheel(-3)]);
    // The rest of the same turn, and the next, back.
    now += WHEEL / 2;
    assert_eq!(read(&mut keys, arrows(KeyCode::Up, 1), now), [Input::Wheel(-1)]);
    assert_eq!(read(&mut keys, arrows(KeyCode::Down, 1), now), [Input::Wheel(1)]);
    now += TURNING;
    assert_eq!(read(&mut keys, arrows(KeyCode::Down, 5), now), [Input::Wheel(3), Input::Wheel(1), Input::Wheel(1)]);
    // A touchpad goes on with one now and then.
    now += TURNING / 2;
    assert_eq!(read(&mut keys, arrows(KeyCode::Down, 1), now), [Input::Wheel(1)]);
    // Three that do not lead the same way are nobody's wheel.
    now += TURNING;
    let inputs = read(&mut keys, arrows(KeyCode::Up, 2).chain(arrows(KeyCode::Down, 1)), now);
    let hand = [KeyCode::Up, KeyCode::Up, KeyCode::Down].map(|code| key(code, NONE));
    assert_eq!([inputs, silence(&mut keys)].concat(), hand);
}

#[test]
fn the_wheel_is_one_wherever_a_read_has_parted_its_arrows() {
    let text = "\u{1b}OA".repeat(5);
    for at in 0..text.len() {
        let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
        let mut inputs = feed(&mut keys, &text[..at], &mut now, Duration::ZERO);
        now += WHEEL / 2;
        inputs.extend(feed(&mut keys, &text[at..], &mut now, Duration::ZERO));
        assert_eq!(inputs, [Input::Wheel(-3), Input::Wheel(-1), Input::Wheel(-1)], "{at}");
        assert_eq!(silence(&mut keys), []);
    }
    // What comes between has its place.
    let up = || key(KeyCode::Up, NONE);
    assert_eq!(fed("\u{1b}[A\u{1b}[I\u{1b}[A\u{1b}x"), [up(), Input::Focus(true), up(), key(KeyCode::Char('x'), ALT)]);
    assert_eq!(fed("\u{1b}[A\u{1b}"), [up(), key(KeyCode::Esc, NONE)]);
    assert_eq!(fed("\u{1b}[A\u{1b}[200~x\u{1b}[201~"), [up(), Input::Paste("x".to_owned())]);
}

#[test]
fn a_key_between_two_arrows_is_a_hand_that_has_left_the_wheel() {
    let mut keys = Keys::default();
    let up = || Event::Key(KeyCode::Up.into());
    assert_eq!(read(&mut keys, [up(), up(), up()], Duration::ZERO), [Input::Wheel(-3)]);
    assert_eq!(read(&mut keys, [event('x')], WHEEL), [typed('x')]);
    read(&mut keys, [up()], WHEEL);
    assert_eq!(silence(&mut keys), [key(KeyCode::Up, NONE)]);
}

#[test]
fn arrows_of_a_key_that_repeats_itself_are_the_keys_also_when_a_network_hands_them_over_together() {
    let mut keys = Keys::default();
    let up = || Event::Key(KeyCode::Up.into());
    let mut now = Duration::ZERO;
    let mut inputs = Vec::new();
    for _ in 0..2 {
        inputs.extend(read(&mut keys, [up()], now));
        inputs.extend(silence(&mut keys));
        now += Duration::from_millis(33);
    }
    now += Duration::from_millis(400);
    inputs.extend(read(&mut keys, [up(), up(), up(), up(), up()], now));
    inputs.extend(silence(&mut keys));
    assert_eq!(inputs, vec![key(KeyCode::Up, NONE); 7]);
    // The wheel later is the wheel, and so is it behind a single arrow.
    now += LOST;
    assert_eq!(read(&mut keys, [up(), up(), up()], now), [Input::Wheel(-3)]);
    now += LOST;
    read(&mut keys, [up()], now);
    assert_eq!(silence(&mut keys), [key(KeyCode::Up, NONE)]);
    now += SILENCE;
    assert_eq!(read(&mut keys, [up(), up(), up()], now), [Input::Wheel(-3)]);
}

#[test]
fn an_arrow_that_repeats_itself_is_a_hand() {
    let mut keys = Keys::default();
    let mut inputs = Vec::new();
    for repeat in 0..8 {
        inputs.extend(read(&mut keys, [Event::Key(KeyCode::Up.into())], WHEEL * repeat));
    }
    inputs.extend(silence(&mut keys));
    assert_eq!(inputs, vec![key(KeyCode::Up, NONE); 8]);
    // kitty says when a key repeats itself.
    assert_eq!(fed(&"\u{1b}[1;1:2A".repeat(5)).len(), 5);
}

proptest! {
    #[test]
    fn nothing_typed_is_lost(
        parts in prop::collection::vec(
            prop_oneof![
                "[a-zA-Z0-9~;学é]{1,4}".prop_map(|text| (text, true)),
                prop::sample::select(vec!["\u{1b}[A", "\u{1b}OA", "\u{1b}[1;5A", "\u{1b}[6~", "\u{1b}[13;3u", "\u{1b}[I"])
                    .prop_map(|text| (text.to_owned(), false)),
            ],
            0..12,
        ),
        pauses in prop::collection::vec(0..50_u64, 1..8),
    ) {
        let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
        let mut pauses = pauses.into_iter().cycle();
        let (mut inputs, mut expected) = (Vec::new(), String::new());
        for (text, is_text) in &parts {
            for c in text.chars() {
                inputs.extend(feed(&mut keys, &c.to_string(), &mut now, Duration::from_millis(pauses.next().unwrap())));
            }
            expected.extend(is_text.then_some(text.as_str()));
        }
        inputs.extend(silence(&mut keys));
        let letters: String = inputs.iter().filter_map(|input| match input {
            Input::Key(KeyEvent { code: KeyCode::Char(c), .. }) => Some(*c),
            _ => None,
        }).collect();
        prop_assert_eq!(letters, expected);
        // Three arrows can be the wheel, which tells how many they were.
        let count: usize = inputs.iter().map(|input| match input {
            Input::Wheel(rows) => rows.unsigned_abs() as usize,
            _ => 1,
        }).sum();
        prop_assert_eq!(count, parts.iter().map(|(text, is_text)| if *is_text { text.chars().count() } else { 1 }).sum::<usize>());
    }

    #[test]
    fn any_characters_at_any_time_are_taken(text in prop::collection::vec((prop_oneof![Just('\u{1b}'), Just('['), Just('2'), Just('0'), Just('1'), Just('~'), Just('\r'), any::<char>()], 0..400_u64), 0..40), drains: bool) {
        let (mut keys, mut now) = (Keys::default(), Duration::ZERO);
        for (c, pause) in text {
            now += Duration::from_millis(pause);
            keys.feed(event(c), now);
            if drains {
                keys.drained();
            }
        }
        silence(&mut keys);
        prop_assert_eq!(keys.wake_at(), None);
    }
}
