//! Which names there are, and that none that was made is ever refused.

use proptest::prelude::*;

use unicode_normalization::char::is_combining_mark;

use super::*;
use crate::protocol::sanitize;

fn alike(a: &str, b: &str) -> bool {
    let (a, b) = (Nick::new(a).unwrap().look_alikes(), Nick::new(b).unwrap().look_alikes());
    a.iter().any(|key| b.contains(key))
}

#[test]
fn nicks_of_many_scripts_are_nicks() {
    for nick in [
        "ada",
        "Ada_Lovelace",
        "münchen",
        "O'Brien",
        "[ada]",
        "ada🌻",
        "学生",
        "أدا",
        "مُحَمَّد",
        "שָׁלוֹם",
        "צ׳רלי",
        "अर्जुन",
        "रामः",
        "ประภัสสร",
        "김연아",
        "木ノ下",
        "ノゾミ",
        "ア・ラ",
        "Ἀθηνᾶ",
        "Иван",
        "ᏣᎳᎨᎯ",
        "col·lega",
        "🌻ada",
        "_ada",
        "ada|away",
        "⭐x",
        "ーa",
        "you-2",
        "youth",
        "guest-7",
        "x",
        "7",
    ] {
        assert_eq!(Nick::new(nick).as_ref().map(Nick::as_str), Ok(nick), "{nick}");
    }
}

#[test]
fn what_is_no_nick_is_refused() {
    let long = "x".repeat(33);
    for nick in ["", "a b", "a\u{200b}b", "a\u{202e}b", "a\nb", "a\u{1b}[0m", "a\u{200d}b", "--", &long] {
        assert_eq!(Nick::new(nick), Err(NameError::Nick), "{nick:?}");
    }
    // A nick has a letter or a digit, and does not begin with what is drawn over something else.
    for nick in ["_", "☃", "'", "🌻", "\u{301}", "\u{301}ada", "ा", "·", "・"] {
        assert_eq!(Nick::new(nick), Err(NameError::Nick), "{nick:?}");
    }
    // What cannot be seen, or looks like a space.
    for c in " \u{a0}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{1680}\u{17b4}\u{180b}\u{180e}\u{2000}\u{200e}\u{2028}\u{202f}\u{2062}\u{2800}\
              \u{3000}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{fffc}\u{fffd}\u{13441}\u{1d159}\u{1d173}\u{e0041}\u{e0100}\u{e000}\u{10ffff}"
        .chars()
    {
        let nick = format!("a{c}b");
        assert_eq!(Nick::new(&nick), Err(NameError::Nick), "{nick:?}");
    }
    // What our lines or those of other chat protocols give a meaning, and what looks like it.
    for c in ":*/#@,<>\"!?$%&+~：＊／＃＠，＜＞＂！？＄％＆＋～꞉∶ː∗⁎٭⁄∕╱‚،‹›“”″ǃʔ؟﹖﹗﹟﹠﹡﹢٪∼〜ꓽः،、ノ«✱".chars()
    {
        let nick = format!("a{c}b");
        assert_eq!(Nick::new(&nick), Err(NameError::Nick), "{nick:?}");
    }
    // What a screen draws with, or what begins no name, and what a client calls its user.
    for nick in [
        "│a",
        "a─b",
        "a→you",
        "a⇒b",
        "a⟶b",
        "a➜b",
        "▌a",
        "a⎸b",
        "a〿b",
        "a␠b",
        "a🠒b",
        "—a",
        "–a",
        "•a",
        "·a",
        "・ア",
        "−a",
        "you",
        "YOU",
        "y0u",
        "уou",
        "ｙｏｕ",
    ] {
        assert_eq!(Nick::new(nick), Err(NameError::Nick), "{nick:?}");
    }
    for nick in ["ः", "ノ", "ノノ", "adaノ", "ǃkung", "ꓮꓓꓮꓽ", "∗⠀bob⠀joined", "ada꞉"] {
        assert_eq!(Nick::new(nick), Err(NameError::Nick), "{nick:?}");
    }
}

#[test]
fn a_nick_takes_its_normal_form() {
    assert_eq!(Nick::new(" ada ").unwrap().as_str(), "ada");
    assert_eq!(Nick::new("ａｄａ").unwrap().as_str(), "ada");
}

#[test]
fn a_look_at_the_bytes_says_what_precis_says() {
    for first in 0..0x80_u8 {
        for text in [vec![first], vec![first, b'a'], vec![b'A', first], vec![b'-', first, b'9']] {
            let text = String::from_utf8(text).unwrap();
            assert_eq!(Nick::new(&text), Nick::by_precis(&text), "{text:?}");
        }
    }
    for text in ["x".repeat(32), "x".repeat(33), "-".repeat(32), "you".into(), "Y0U".into(), "you-2".into()] {
        assert_eq!(Nick::new(&text), Nick::by_precis(&text), "{text:?}");
    }
}

#[test]
fn nicks_that_look_alike_are_the_same_nick() {
    assert!(alike("ada", "ADA"));
    assert!(alike("ada", "аdа"), "Cyrillic а");
    assert!(alike("Ivan", "lvan"), "capital I and small L");
    assert!(alike("Ivan", "ivan"));
    assert!(alike("rnary", "mary"));
    assert!(!alike("ada", "bob"));
    assert!(!alike("ivan", "lvan"));
}

#[test]
fn what_is_read_back_is_as_it_was_or_harmless() {
    let long = "x".repeat(40);
    for (stored, shown) in [
        ("ada", "ada"),
        // Valid once.
        ("☃", "☃"),
        ("ada!", "ada!"),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxl·-2", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxl·-2"),
        // Never.
        ("", "\u{fffd}"),
        ("a b", "a\u{fffd}b"),
        ("\u{1b}[31m* bob\n", "\u{fffd}[31m\u{fffd}\u{fffd}bob\u{fffd}"),
        ("\u{301}a\u{202e}\u{2800}", "\u{fffd}a\u{fffd}\u{fffd}"),
        (&long, &long[..32]),
    ] {
        assert_eq!(Nick::read(stored).as_str(), shown);
    }
    assert_eq!(RoomName::read("#Rust").as_str(), "rust");
    assert_eq!(RoomName::read("rust.dev").as_str(), "rust.dev");
    assert_eq!(RoomName::read("a/b c").as_str(), "a\u{fffd}b\u{fffd}c");
    assert_eq!(Body::read(" a\u{7}\r\nb ").as_str(), " a\nb ");
    assert_eq!(Body::read("\u{200b}").as_str(), "(this message cannot be shown)");
    assert_eq!(Topic::read("a\nb").as_str(), "a b");
    let cut = Topic::read(&"ü".repeat(Limits::TOPIC));
    assert!(cut.as_str().ends_with("ü […]") && cut.as_str().len() <= Limits::TOPIC);
}

#[test]
fn a_numbered_nick_fits() {
    assert_eq!(Nick::new("ada").unwrap().numbered(2).as_str(), "ada-2");
    assert_eq!(Nick::new(&"学".repeat(32)).unwrap().numbered(17).as_str(), format!("{}-17", "学".repeat(29)));
    // Each of these would end, or begin, where it may not.
    for (nick, numbered) in [
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxl·lx", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxl-2"),
        ("-・・・・・・・・・・・・・・・・・・・・・・・・・・・・・・ア", "guest-2"),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-2", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx-2"),
    ] {
        assert_eq!(Nick::new(nick).unwrap().numbered(2).as_str(), numbered);
    }
    assert_eq!(Nick::guest(u64::MAX), Nick::new(Nick::guest(u64::MAX).as_str()).unwrap());
}

#[test]
fn rooms_take_their_normal_form_or_are_refused() {
    assert_eq!(RoomName::new("#Rust").unwrap().as_str(), "rust");
    let long = "x".repeat(33);
    for room in ["", "#", "##a", "-a", "_a", "a b", "a/b", "ä", &long] {
        assert_eq!(RoomName::new(room), Err(NameError::Room), "{room:?}");
    }
}

#[test]
fn a_body_is_cleaned_and_bounded() {
    assert_eq!(Body::new("\n  hi\u{7} \r\n").unwrap().as_str(), "  hi");
    for blank in [
        " \u{200b} ",
        "\u{2800}",
        "\u{200d}",
        "\u{fe0f}",
        "\u{3164}",
        "\u{200e}",
        "\u{115f}\n\u{1160}\t\u{e0041}",
        "\u{13430}\u{13438}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{fdd0}",
    ] {
        assert_eq!(Body::new(blank), Err(NameError::Empty), "{blank:?}");
        assert_eq!(Topic::new(blank), Err(NameError::Empty), "{blank:?}");
        assert_eq!(Query::new(blank), Err(NameError::Empty), "{blank:?}");
    }
    assert!(Body::new(&"x".repeat(Limits::MESSAGE)).is_ok());
    assert_eq!(Body::new(&"x".repeat(Limits::MESSAGE + 1)), Err(NameError::TooLong { is: 16_385, limit: 16_384 }));
}

#[test]
fn a_topic_is_one_line() {
    assert_eq!(Topic::new("a\nb").unwrap().as_str(), "a b");
    assert!(Topic::new(&"x".repeat(Limits::TOPIC + 1)).is_err());
}

/// Characters that depend on those beside them, one by one and in pieces that are valid, with plain
/// ones between. Of any characters, hardly any make a nick.
fn delicate() -> impl Strategy<Value = String> {
    let pieces = [
        "a",
        "l",
        "l·l",
        "·",
        "\u{200c}",
        "क\u{94d}\u{200d}ष",
        "\u{200d}",
        "・",
        "ア",
        "ノ",
        "木",
        "͵",
        "͵α",
        "α",
        "׳",
        "ג׳",
        "״",
        "ש״ס",
        "ש",
        "٣",
        "۳",
        "ه",
        "\u{301}",
        "e\u{301}",
        "\u{94d}",
        "रामः",
        "ः",
        "\u{64b}",
        "김",
        "ᄀ",
        "\u{3164}",
        "-",
        "_",
        ".",
        "-2",
        "7",
        "İ",
        "ǅ",
        "ﬁ",
        "ａ",
        "꞉",
        "\u{2800}",
        "🌻",
        " ",
        "\u{fffd}",
        "x",
        "xx",
        "xxxxxxxx",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 1..34)
        .prop_map(|pieces| pieces.concat().chars().take(Limits::NICK_CHARS).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_nick_stays_a_nick_whatever_is_done_to_it(text in delicate(), number in prop_oneof![2..60_u64, any::<u64>()]) {
        if let Ok(nick) = Nick::new(&text) {
            prop_assert_eq!(Nick::new(nick.as_str()), Ok(nick.clone()));
            prop_assert_eq!(Nick::read(nick.as_str()), nick.clone());
            let numbered = nick.numbered(number);
            prop_assert_eq!(Nick::new(numbered.as_str()), Ok(numbered.clone()));
            prop_assert!(numbered.as_str().chars().count() <= Limits::NICK_CHARS);
            prop_assert_ne!(numbered, nick);
        }
        if let Some(nick) = Nick::of_login(&text) {
            prop_assert_eq!(Nick::new(nick.as_str()), Ok(nick));
        }
    }

    #[test]
    fn what_is_read_back_can_be_shown(text in prop_oneof![any::<String>(), delicate(), "[A-Z#a]{0,40}", "[a\u{fc}\n ]{250,300}"]) {
        let nick = Nick::read(&text);
        prop_assert_eq!(Nick::read(nick.as_str()), nick.clone());
        for name in [nick.as_str(), RoomName::read(&text).as_str()] {
            prop_assert!((1..=Limits::NICK_CHARS).contains(&name.chars().count()));
            prop_assert!(!name.chars().any(|c| sanitize::is_blank(c) || ":*/#@,<>\"".contains(c)), "{:?}", name);
            prop_assert!(!name.starts_with(is_combining_mark), "{:?}", name);
        }
        let (body, topic, query) = (Body::read(&text), Topic::read(&text), Query::read(&text));
        let room = RoomName::read(&text);
        prop_assert_eq!(RoomName::read(room.as_str()), room);
        prop_assert_eq!(Body::read(body.as_str()), body.clone());
        prop_assert_eq!(Topic::read(topic.as_str()), topic.clone());
        prop_assert_eq!(Query::read(query.as_str()), query.clone());
        for text in [body.as_str(), topic.as_str(), query.as_str()] {
            prop_assert!(!text.chars().all(sanitize::is_blank));
            prop_assert_eq!(sanitize::lines(text), text);
        }
    }
}

#[test]
fn a_login_name_is_a_nick_as_far_as_it_can_be() {
    let long = "x".repeat(40);
    for (login, nick) in [
        ("ada", Some("ada")),
        ("Ada Lovelace", Some("AdaLovelace")),
        ("CORP\\ada$", Some("CORPada")),
        ("ａｄａ！", Some("ada")),
        (&long, Some(&long[..32])),
        ("", None),
        ("__", None),
        ("\u{3164}", None),
        ("\u{301}\u{1b}", None),
    ] {
        assert_eq!(Nick::of_login(login).as_ref().map(Nick::as_str), nick, "{login:?}");
    }
}

proptest! {
    #[test]
    fn constructors_never_panic_and_are_idempotent(text in any::<String>()) {
        if let Ok(nick) = Nick::new(&text) {
            prop_assert_eq!(Nick::new(nick.as_str()), Ok(nick.clone()));
            prop_assert_eq!(Nick::new(nick.numbered(2).as_str()), Ok(nick.numbered(2)));
        }
        if let Ok(body) = Body::new(&text) {
            prop_assert_eq!(Body::new(body.as_str()), Ok(body.clone()));
        }
        if let Ok(topic) = Topic::new(&text) {
            prop_assert_eq!(Topic::new(topic.as_str()), Ok(topic.clone()));
        }
        drop((RoomName::new(&text), IdempotencyKey::new(&text)));
    }
}
