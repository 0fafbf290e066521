//! Tests of what one client leaves and another takes over.

use std::fs;

use super::*;
use crate::protocol::{Body, Hex, IdempotencyKey, Nick};

const NOW: u64 = 1_000_000;

fn say(text: &str) -> ClientMessage {
    ClientMessage::Say { key: IdempotencyKey::new(text.trim_start_matches('/')).ok(), text: Body::new(text).unwrap() }
}

fn kept(session: u8, draft: &str, unsent: Vec<ClientMessage>) -> Kept {
    let room = KeptRoom { draft: draft.to_owned(), unsent, ..KeptRoom::new(RoomName::lobby()) };
    let session = Some(SessionToken(Hex([session; 16])));
    Kept { server: "a:1".to_owned(), session, rooms: vec![room], ..Kept::default() }
}

fn take(folder: &Path, now: u64) -> (Slot, Kept) {
    let (slot, kept, told) = Slot::take(folder, "a:1", now).unwrap();
    assert_eq!(told, [""; 0]);
    (slot, kept)
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn what_a_client_leaves_goes_to_one_other_and_only_when_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (first, nothing) = take(folder.path(), NOW);
    assert_eq!(nothing.rooms, []);
    let written = kept(1, "half", vec![say("a"), say("b")]);
    first.write(&written, NOW).unwrap();
    let (second, nothing) = take(folder.path(), NOW);
    assert_eq!(nothing.rooms, [], "the first client still runs");
    drop(first);
    let (other, nothing, _) = Slot::take(folder.path(), "b:2", NOW).unwrap();
    assert_eq!(nothing.rooms, [], "it is for another server");
    let (third, found) = take(folder.path(), NOW + 599);
    assert_eq!((found.session, &found.rooms), (written.session, &written.rooms));
    assert_eq!(found.fresh_for(NOW + 599), Some(Duration::from_secs(1)));
    assert_eq!(take(folder.path(), NOW + 599).1.rooms, []);
    third.write(&Kept::default(), NOW).unwrap();
    drop((second, third, other));
    assert_eq!(files(folder.path()), 0);
}

#[test]
fn lines_of_two_clients_go_out_as_those_of_two() {
    let folder = tempfile::tempdir().unwrap();
    for session in [1, 2] {
        let (slot, _) = Slot::take(folder.path(), "b:2", NOW).map(|(slot, kept, _)| (slot, kept)).unwrap();
        slot.write(&kept(session, "", vec![say(&session.to_string())]), NOW + u64::from(session)).unwrap();
    }
    let (_first, found) = take(folder.path(), NOW + 5);
    assert_eq!((found.session, &found.rooms[0].unsent), (Some(SessionToken(Hex([2; 16]))), &vec![say("2")]));
    let (_second, found) = take(folder.path(), NOW + 5);
    assert_eq!((found.session, &found.rooms[0].unsent), (Some(SessionToken(Hex([1; 16]))), &vec![say("1")]));
}

#[test]
fn who_was_killed_goes_on_as_the_same_person() {
    let folder = tempfile::tempdir().unwrap();
    let killed = |session: u8, unsent: Vec<ClientMessage>| {
        let (slot, ..) = Slot::take(folder.path(), "b:2", NOW).unwrap();
        let mut kept = kept(session, "", unsent);
        kept.rooms.retain(KeptRoom::is_unfinished);
        slot.write(&kept, NOW + u64::from(session)).unwrap();
    };
    let token = |session| Some(SessionToken(Hex([session; 16])));
    for session in [1, 2] {
        killed(session, vec![]);
    }
    let (first, found) = take(folder.path(), NOW + 5);
    assert_eq!((found.session, found.rooms), (token(2), vec![]));
    let (second, found) = take(folder.path(), NOW + 5);
    assert_eq!(found.session, token(1));
    assert_eq!(take(folder.path(), NOW + 5).1.session, None, "each goes on once");
    // A client that is killed before it connects leaves the token that it found.
    drop(first);
    let (third, found) = take(folder.path(), NOW + 5000);
    assert_eq!(found.session, token(2), "the server knows how long it waits");
    for slot in [&second, &third] {
        slot.write(&Kept::default(), NOW).unwrap();
    }
    drop((second, third));
    // Messages count once only with the token of their author.
    killed(3, vec![say("a")]);
    killed(4, vec![]);
    let (_slot, found) = take(folder.path(), NOW + 5);
    assert_eq!((found.session, found.has_unsent()), (token(3), true));
    assert_eq!(take(folder.path(), NOW + 5).1.session, token(4));
}

#[test]
fn old_lines_are_a_draft_and_what_was_for_one_is_never_in_it() {
    let secret =
        ClientMessage::Msg { key: None, to: Nick::new("bob").unwrap(), peer: None, text: Body::new("secret").unwrap() };
    for (draft, now, expected, entered) in [
        ("half", NOW + 601, "//etc\n/usr\nhalf", ["/msg bob secret"].as_slice()),
        // The age is unknown after the clock was set back.
        ("", NOW - 1, "//etc\n/usr", &["/msg bob secret"]),
        ("/msg eve x", NOW + 601, "/msg eve x", &["//usr", "/msg bob secret", "//etc"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (slot, _) = take(folder.path(), NOW);
        slot.write(&kept(1, draft, vec![say("/etc"), secret.clone(), say("/usr")]), NOW).unwrap();
        drop(slot);
        let (_slot, mut found) = take(folder.path(), now);
        assert_eq!(found.fresh_for(now), None);
        // Before the client has connected, it is unknown whether the server stored some of them.
        assert!(found.has_unsent());
        found.rooms[0].give_back();
        assert_eq!(found.rooms[0].draft.as_str(), expected);
        assert_eq!(found.rooms[0].entered, entered);
        assert!(!found.has_unsent());
    }
}

#[test]
fn what_cannot_be_read_is_kept_aside_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("1.json"), "{").unwrap();
    let text = r#"{"server":"a:1","saved":"x","rooms":[{"room":"NO WAY"},{"room":"lobby","draft":"half","unsent":[{"type":"x"},
        {"type":"say","text":"old"}]}]}"#;
    fs::write(folder.path().join("2.json"), text).unwrap();
    let (_slot, kept, told) = Slot::take(folder.path(), "a:1", NOW).unwrap();
    assert_eq!((kept.rooms[0].draft.as_str(), told.len()), ("old\nhalf", 2));
    assert_eq!(fs::read_to_string(folder.path().join("1.json.bad")).unwrap(), "{");
    assert_eq!(fs::read_to_string(folder.path().join("2.json.bad")).unwrap(), text);
}

#[cfg(unix)]
#[test]
fn it_is_for_its_owner_alone_and_has_bounds() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (slot, _) = take(&folder.path().join("new"), NOW);
    let mut much = kept(1, "", (0..600).map(|_| say(&"x".repeat(16 * 1024))).collect());
    much.rooms[0].entered = (0..200).map(|_| "y".repeat(64 * 1024)).collect();
    slot.write(&much, NOW).unwrap();
    let file = fs::metadata(slot.path()).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert!(file.len() < 6 * 1024 * 1024, "{}", file.len());
}
