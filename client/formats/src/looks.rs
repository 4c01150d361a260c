//! What a file that is no export looks like, for the sentence that says what to do.

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Looks {
    /// No bytes, or white space alone.
    #[error("the file is empty: export again and check that the new file is not")]
    Empty,
    /// A zip archive inside of one that was opened.
    #[error("the file is a zip archive in a zip archive: unpack the outer one and import what is in it")]
    Zip,
    /// Sealed with age, as Lockstep's own archives are.
    #[error(
        "the file is sealed with age, as Lockstep's own archives are: import it with `--format lockstep`"
    )]
    Age,
    /// Another compressed archive.
    #[error("the file is a compressed archive: unpack it and import the .json file in it")]
    Compressed,
    /// A web page.
    #[error("the file is a web page, perhaps a saved error or sign-in page: export again, as .json")]
    WebPage,
    /// XML.
    #[error("the file is XML, as KeePass and others export it: this format is JSON")]
    Xml,
    /// A KeePass database.
    #[error("the file is a KeePass database: this format is JSON")]
    KeePass,
    /// An SQLite database.
    #[error("the file is a database, not an export: export as .json in Bitwarden")]
    Database,
    /// A PDF document.
    #[error("the file is a PDF document: export as .json in Bitwarden")]
    Pdf,
    /// UTF-32, which nobody writes.
    #[error("the file is text in UTF-32: save it as UTF-8")]
    Utf32,
    /// A JSON list.
    #[error("the file is a list in JSON, not an object with `items`, so it is no Bitwarden export")]
    List,
    /// A table.
    #[error("the file looks like a CSV table: export again and choose .json as the file format")]
    Csv,
    /// Anything else.
    #[error("the file is not JSON: choose the .json file that Bitwarden's export wrote")]
    Unknown,
}

/// How many bytes are looked at for words and tables.
const LOOKED_AT: usize = 4_096;
const BEGINNINGS: [(&[u8], Looks); 16] = [
    (b"PK\x03\x04", Looks::Zip),
    (b"PK\x05\x06", Looks::Zip),
    (b"age-encryption.org/", Looks::Age),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", Looks::Age),
    (b"\x1f\x8b", Looks::Compressed),
    (b"7z\xbc\xaf\x27\x1c", Looks::Compressed),
    (b"Rar!", Looks::Compressed),
    (b"BZh", Looks::Compressed),
    (b"\xfd7zXZ", Looks::Compressed),
    (b"\x28\xb5\x2f\xfd", Looks::Compressed),
    (b"\x03\xd9\xa2\x9a", Looks::KeePass),
    (b"SQLite format 3", Looks::Database),
    (b"%PDF", Looks::Pdf),
    (b"\0\0\xfe\xff", Looks::Utf32),
    (b"\0\0\0{", Looks::Utf32),
    (b"{\0\0\0", Looks::Utf32),
];

/// What these bytes, which do not begin like a JSON object, look like. A file in UTF-16 is to be converted before.
pub(crate) fn looks_like(bytes: &[u8]) -> Looks {
    if let Some((_, looks)) = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning)) {
        return *looks;
    }
    let start = bytes.trim_ascii_start();
    let start = &start[..start.len().min(LOOKED_AT)];
    let words = start.to_ascii_lowercase();
    match start.first() {
        None => Looks::Empty,
        Some(0) if bytes.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace()) => Looks::Empty,
        Some(b'<') if words.windows(5).any(|word| word == b"<html") || words.starts_with(b"<!doc") => {
            Looks::WebPage
        }
        Some(b'<') => Looks::Xml,
        Some(b'[') => Looks::List,
        _ if is_table(start) => Looks::Csv,
        _ => Looks::Unknown,
    }
}

/// A first line of several columns, without brackets.
fn is_table(start: &[u8]) -> bool {
    let line = start.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let separators = line.iter().filter(|byte| matches!(byte, b',' | b';' | b'\t')).count();
    let is_plain = |byte: &u8| !matches!(byte, ..0x09 | b'{' | b'}' | b'[' | b']');
    separators > 0 && std::str::from_utf8(line).is_ok() && line.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_kinds_are_recognised() {
        let cases: [(&[u8], Looks); 20] = [
            (b"", Looks::Empty),
            (b" \r\n", Looks::Empty),
            (b"\0\0\0\0", Looks::Empty),
            (b"PK\x03\x04rest", Looks::Zip),
            (b"age-encryption.org/v1\n-> scrypt", Looks::Age),
            (b"-----BEGIN AGE ENCRYPTED FILE-----\n", Looks::Age),
            (b"\x1f\x8b\x08", Looks::Compressed),
            (b"\n<!DOCTYPE html>\n<html>", Looks::WebPage),
            (b"<?xml version=\"1.0\"?><html>", Looks::WebPage),
            (b"<?xml version=\"1.0\"?><KeePassFile>", Looks::Xml),
            (b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5", Looks::KeePass),
            (b"SQLite format 3\0", Looks::Database),
            (b"%PDF-1.7", Looks::Pdf),
            (b"{\0\0\0\"\0\0\0", Looks::Utf32),
            (b"[{\"id\":1}]", Looks::List),
            (b"folder,favorite,type,name\r\n", Looks::Csv),
            (b"name;url;user\n", Looks::Csv),
            (b"a note, with {braces}", Looks::Unknown),
            (b"true", Looks::Unknown),
            (b"\xff\xd8\xff\xe0,", Looks::Unknown),
        ];
        for (bytes, looks) in cases {
            assert_eq!(looks_like(bytes), looks, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn only_the_beginning_of_a_large_file_is_looked_at() {
        assert_eq!(looks_like(&vec![b'x'; 5_000_000]), Looks::Unknown);
        assert_eq!(looks_like(&[&vec![b'x'; LOOKED_AT][..], b",y\n"].concat()), Looks::Unknown);
    }
}
