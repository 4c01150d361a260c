//! Values on their way into an item: whole or refused.

use std::io::Write as _;

use lockstep_client::ports::Clock as _;
use lockstep_client::tools::Totp;
use lockstep_native::SystemClock;
use serde_json::{Value as Json, json};

use super::programs::{Outcome, PASSWORD};
use super::{Machine, ServerProcess};

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nAAAAC3NzaC1lZDI1NTE5\n\n\
                   -----END OPENSSH PRIVATE KEY-----";

/// A signed-up, unlocked profile `laptop`.
fn unlocked() -> (ServerProcess, Machine) {
    let server = ServerProcess::start();
    let machine = Machine::new();
    machine.sign_up("laptop", server.url());
    machine.json("laptop", &["unlock", "--minutes", "10"]);
    (server, machine)
}

/// Runs a command with these bytes on its standard input, the account's password on the first line.
fn with_input(machine: &Machine, arguments: &[&str], bytes: &[u8]) -> Outcome {
    let mut child = machine.command("laptop", arguments).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // A command that refuses early reads nothing.
    let _ = writeln!(input, "{PASSWORD}").and_then(|()| input.write_all(bytes));
    drop(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn field(machine: &Machine, item: &str, name: &str) -> Json {
    machine.json("laptop", &["get", "--offline", item, "--field", name])["value"].clone()
}

#[test]
fn a_secret_is_all_that_its_descriptor_holds_or_is_refused() {
    let (_server, machine) = unlocked();
    let add = ["add", "--offline", "--kind", "ssh-key", "--title", "key", "--secret", "private-key=0"];
    with_input(&machine, &add, format!("{KEY}\n").as_bytes()).done();
    assert_eq!(field(&machine, "key", "private-key"), KEY);

    let edit = ["edit", "--offline", "key", "--secret", "private-key=0"];
    let long = format!("{}\r\n{}", "x".repeat(70_000), "y".repeat(170_000));
    for (bytes, kept) in [
        ("one\r\ntwo\r\n".to_owned(), "one\r\ntwo"),
        ("one\n\n\n".to_owned(), "one\n\n"),
        ("  no line break  ".to_owned(), "  no line break  "),
        (long.clone(), &long),
    ] {
        with_input(&machine, &edit, bytes.as_bytes()).done();
        assert_eq!(field(&machine, "key", "private-key"), kept);
    }

    let too_long = "z".repeat(256 * 1024 + 1);
    for (bytes, told) in [
        (too_long.as_bytes(), "262144 bytes"),
        (b"\xff\xfe", "UTF-8"),
        (b"", "ended without a secret"),
        (b"\n", "--clear private-key"),
    ] {
        let refused = with_input(&machine, &edit, bytes).ends(2);
        assert_eq!(refused.failure(), "usage");
        assert!(refused.out.contains(told) && refused.out.contains("nothing was changed"), "{refused:?}");
        assert_eq!(field(&machine, "key", "private-key"), long.as_str());
    }
    machine.json("laptop", &["lock"]);
}

#[test]
fn the_first_line_is_the_accounts_password_whether_or_not_it_is_needed() {
    let (_server, machine) = unlocked();
    machine.json("laptop", &["add", "--offline", "--title", "Bank"]);
    let edit = ["edit", "--offline", "Bank", "--secret", "password=0"];
    for locked in [false, true] {
        if locked {
            machine.json("laptop", &["lock"]);
        }
        let secret = format!("secret\n{locked}");
        machine.run_with("laptop", &edit, &[PASSWORD, &secret]).done();
        assert_eq!(field(&machine, "Bank", "password"), secret.as_str());
        let alone = machine.run_with("laptop", &edit, &["-----BEGIN KEY-----", "b64"]).ends(3);
        assert_eq!(alone.failure(), "wrong-password", "a secret's first line is never dropped");
        assert_eq!(field(&machine, "Bank", "password"), secret.as_str());
    }
    let both = [&edit[..], &["--secret", "totp=0"]].concat();
    let refused = machine.run_with("laptop", &both, &[PASSWORD, "one", "two"]).ends(2);
    assert!(refused.out.contains("a descriptor of its own"), "{refused:?}");

    // Each on its own, both of many lines.
    let file = |name: &str, text: &str| {
        std::fs::write(machine.path(name), text).unwrap();
        machine.path(name).to_str().unwrap().to_owned()
    };
    let (one, two) = (file("one", "a\nb\n"), file("two", "c\nd\n"));
    let arguments = ["edit", "--offline", "Bank", "--secret", "password=3", "--secret", "notes=4"];
    let plain = machine.command("laptop", &[]);
    let lockstep = plain.get_program().to_owned();
    let given: Vec<_> = plain.get_args().map(ToOwned::to_owned).collect();
    let mut command = std::process::Command::new("sh");
    command
        .arg("-c")
        .arg(format!("exec \"$0\" \"$@\" 3<'{one}' 4<'{two}'"))
        .arg(lockstep)
        .args(given)
        .args(arguments);
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(
        (field(&machine, "Bank", "password"), field(&machine, "Bank", "notes")),
        ("a\nb".into(), "c\nd".into())
    );
}

#[test]
fn a_value_that_its_field_cannot_hold_changes_nothing() {
    let (_server, machine) = unlocked();
    let add =
        ["add", "--title", "Bank", "--username", "anna", "--tag", "Home", "--url", "https://bank.example"];
    machine.json("laptop", &[&add[..], &["--set", "favourite=on", "--set", "custom:PIN=4711"]].concat());
    let shown = || machine.json("laptop", &["get", "--offline", "Bank", "--reveal"]);
    let before = shown();
    assert_eq!(before["fields"]["favourite"], true);
    let wrong: [&[&str]; 20] = [
        &["--set", "favourite=banana"],
        &["--set", "expiry-month=13"],
        &["--set", "security=banana"],
        &["--set", "hidden=banana"],
        &["--set", "endpoint=two words"],
        &["--set", "usrname=anna"],
        &["--set", "username="],
        &["--set", "kind=note"],
        &["--set", "trash=1"],
        &["--username", ""],
        &["--title", ""],
        &["--url", "two words"],
        &["--tag", " "],
        &["--untag", "Work"],
        &["--remove-url", "https://other.example"],
        &["--clear", "title"],
        &["--clear", "kind"],
        &["--clear", "PUK"],
        &["--username", "a", "--set", "username=b"],
        &["--note", "x", "--clear", "notes", "--set", "notes=y"],
    ];
    for arguments in wrong {
        let refused = machine.run("laptop", &[&["edit", "Bank"], arguments].concat()).ends(2);
        assert!(refused.out.contains("nothing was changed"), "{arguments:?}: {refused:?}");
        assert_eq!(shown(), before, "{arguments:?}");
    }
    for garbage in ["banana", "garbage", "not a secret"] {
        let edit = ["edit", "Bank", "--secret", "totp=0"];
        let refused = machine.run_with("laptop", &edit, &[PASSWORD, garbage]).ends(2);
        assert!(!refused.out.contains(garbage), "{refused:?}");
    }
    assert_eq!(shown(), before);
    for address in ["router", "10.0.0.1:8080", "androidapp://com.example.app", "https://münchen.example/ä"]
    {
        machine.json("laptop", &["edit", "--offline", "Bank", "--url", address]);
    }
    assert_eq!(field(&machine, "Bank", "uris").as_array().unwrap().len(), 5);
    machine.json("laptop", &["lock"]);
}

#[test]
fn fields_are_cleared_by_name_and_by_nothing_else() {
    let (_server, machine) = unlocked();
    let add = [
        "add",
        "--offline",
        "--title",
        "Bank",
        "--username",
        "anna",
        "--tag",
        "Home",
        "--tag",
        "home",
        "--note",
        "n",
    ];
    let more = ["--url", "https://a.test", "--url", "https://b.test", "--set", "custom:PIN=1", "--generate"];
    machine.json("laptop", &[&add[..], &more].concat());
    let clear = |names: &[&str]| {
        let options: Vec<&str> = names.iter().flat_map(|name| ["--clear", name]).collect();
        machine.json("laptop", &[&["edit", "--offline", "Bank"], &options[..]].concat())["changed"].clone()
    };
    assert_eq!(field(&machine, "Bank", "tags"), json!(["Home"]), "the same word twice is one tag");
    assert_eq!(clear(&["password", "note", "uris", "pin"]), true);
    let shown = machine.json("laptop", &["get", "--offline", "Bank"]);
    assert_eq!((&shown["fields"]["username"], &shown["hidden"]), (&"anna".into(), &json!([])));
    assert_eq!(shown["fields"].as_object().unwrap().keys().collect::<Vec<_>>(), ["created", "username"]);
    assert_eq!(clear(&["password", "uris"]), false, "empty already");
    machine.json("laptop", &["edit", "--offline", "Bank", "--untag", "HOME", "--tag", "work"]);
    assert_eq!(field(&machine, "Bank", "tags"), json!(["work"]));
    machine.json("laptop", &["lock"]);
}

#[test]
fn custom_fields_are_made_read_and_changed_by_name() {
    let (_server, machine) = unlocked();
    let add = ["add", "--offline", "--kind", "note", "--title", "codes", "--set", "custom:PIN=4711"];
    let secret = ["--secret", "custom:PUK=0"];
    with_input(&machine, &[&add[..], &secret].concat(), b"12345678\n").done();
    assert_eq!(
        (field(&machine, "codes", "PIN"), field(&machine, "codes", "puk")),
        ("4711".into(), "12345678".into())
    );
    let shown = machine.run("laptop", &["get", "--offline", "codes"]).done();
    assert!(!shown.out.contains("12345678") && shown.out.contains("4711"), "{shown:?}");
    let names = shown.json()["names"].as_object().unwrap().values().cloned().collect::<Vec<_>>();
    assert!(names.contains(&"PIN".into()) && names.contains(&"PUK".into()), "{shown:?}");

    machine.json("laptop", &["edit", "--offline", "codes", "--set", "PIN=0815"]);
    with_input(&machine, &["edit", "--offline", "codes", "--secret", "PUK=0"], b"two\nlines\n").done();
    assert_eq!(
        (field(&machine, "codes", "PIN"), field(&machine, "codes", "PUK")),
        ("0815".into(), "two\nlines".into())
    );
    let seen = machine.run("laptop", &["edit", "--offline", "codes", "--set", "PUK=87654321"]).ends(2);
    assert!(seen.out.contains("--secret") && !seen.out.contains("87654321"), "{seen:?}");

    let titles = |text: &str| {
        let list = machine.json("laptop", &["list", "--offline", "--search", text]);
        list["items"].as_array().unwrap().len()
    };
    assert_eq!((titles("pin"), titles("0815"), titles("lines")), (1, 1, 0));
    machine.json("laptop", &["edit", "--offline", "codes", "--clear", "custom"]);
    assert_eq!(machine.run("laptop", &["get", "codes", "--field", "PIN"]).ends(1).failure(), "no-field");
    machine.json("laptop", &["lock"]);
}

#[test]
fn a_code_is_the_one_of_now() {
    let (_server, machine) = unlocked();
    let secret = "otpauth://totp/x?secret=JBSW+Y3DP+EHPK+3PXP&algorithm=HmacSHA256&digits=8&period=86400";
    let add = ["add", "--offline", "--title", "Bank", "--secret", "totp=0"];
    with_input(&machine, &add, secret.as_bytes()).done();
    machine.json("laptop", &["add", "--offline", "--title", "Plain"]);
    let shown = machine.json("laptop", &["code", "--offline", "bank"]);
    let now = || SystemClock.now_ms();
    let at = |ms: u64| Totp::parse(secret).unwrap().code(ms).code;
    // Midnight may have passed meanwhile.
    assert!(
        [at(now()), at(now() - 86_400_000)].contains(&shown["code"].as_str().unwrap().to_owned()),
        "{shown}"
    );
    assert!((1..=86_400).contains(&shown["seconds_left"].as_u64().unwrap()) && shown["period"] == 86_400);
    assert_eq!(machine.run("laptop", &["code", "Plain"]).ends(1).failure(), "no-field");
    machine.json("laptop", &["lock"]);
}

#[test]
fn titles_are_found_without_accents_and_listed_as_people_look_for_them() {
    let (_server, machine) = unlocked();
    let names = [
        "Zürich Bank",
        "Zurich bus",
        "Łódź tram",
        "straße",
        "STRASSE",
        "Éclair",
        "Öl",
        "Oil",
        "apple",
        "Cam 10",
        "Cam 1",
        "Cam 2",
        "ａｄｏｂｅ",
    ];
    let items: Vec<Json> = names
        .iter()
        .map(|name| json!({ "id": name, "type": 2, "name": name, "secureNote": { "type": 0 } }))
        .collect();
    let file = machine.path("names.json");
    std::fs::write(&file, json!({ "encrypted": false, "items": items }).to_string()).unwrap();
    machine.json("laptop", &["import", "--offline", file.to_str().unwrap(), "--format", "bitwarden-json"]);
    let listed = [
        "ａｄｏｂｅ",
        "apple",
        "Cam 1",
        "Cam 2",
        "Cam 10",
        "Éclair",
        "Łódź tram",
        "Oil",
        "Öl",
        "STRASSE",
        "straße",
        "Zürich Bank",
        "Zurich bus",
    ];
    assert_eq!(machine.titles("laptop"), listed);
    for (text, found) in [
        ("zurich", &["Zürich Bank", "Zurich bus"][..]),
        ("lodz", &["Łódź tram"]),
        ("STRAßE", &["STRASSE", "straße"]),
        ("adobe", &["ａｄｏｂｅ"]),
        ("oil", &["Oil"]),
    ] {
        let list = machine.json("laptop", &["list", "--offline", "--search", text]);
        let titles: Vec<_> =
            list["items"].as_array().unwrap().iter().map(|item| item["title"].clone()).collect();
        assert_eq!(titles, found, "{text}");
    }
    machine.json("laptop", &["edit", "--offline", "lodz tram", "--tag", "Büro/Küche"]);
    let tagged = machine.json("laptop", &["list", "--offline", "--tag", "buro"]);
    assert_eq!(tagged["items"][0]["title"], "Łódź tram");
    let several = machine.run("laptop", &["get", "--offline", "Strasse"]).ends(1);
    assert_eq!(several.failure(), "ambiguous-item");
    machine.json("laptop", &["get", "--offline", "straße"]);
    machine.json("laptop", &["lock"]);
}
