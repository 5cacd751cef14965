//! The body of an ask.

use bytes::Bytes;
use pulsar_wire::CommandBody;

use crate::Seed;

/// The bytes are a command and its arguments, which are written again as they were, or are refused.
///
/// # Panics
///
/// If they are not.
pub fn command(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    let Ok(body) = CommandBody::decode(&bytes) else {
        return;
    };
    let again = CommandBody::encode(body.command, &body.args);
    assert_eq!(again.as_deref(), Ok(input), "a body has one form only");
}

fn body(command: &str, args: &[u8]) -> Vec<u8> {
    let body = CommandBody::encode(command, args);
    body.expect("a seed's name is short enough").to_vec()
}

pub(crate) fn seeds() -> Vec<Seed> {
    let echo = body("echo", b"\x05hello");
    let longest = "n".repeat(usize::from(u16::MAX));
    vec![
        ("empty", Vec::new()),
        ("ping", body("ping", b"")),
        ("echo", echo.clone()),
        ("json", body("echo", b"[\"hello\"]")),
        ("no_name", body("", b"args")),
        ("name_beyond_ascii", body("größe", b"")),
        ("longest_name", body(&longest, b"")),
        ("name_longer_than_all", b"\xff\xffecho".to_vec()),
        ("name_one_longer_than_all", b"\x05\0echo".to_vec()),
        ("name_that_is_no_text", b"\x02\0\xff\xfe\x01".to_vec()),
        ("name_cut_within_a_letter", b"\x01\0\xc3\xb6".to_vec()),
        ("name_with_a_zero", body("pi\0ng", b"")),
        (
            "escapes_of_a_terminal",
            body("\x1b[2Jping", b"\x1b]0;x\x07"),
        ),
        ("truncated_in_its_length", echo[..1].to_vec()),
        ("truncated_behind_its_length", echo[..2].to_vec()),
        ("truncated_in_its_name", echo[..4].to_vec()),
        ("truncated_behind_its_name", echo[..6].to_vec()),
        ("args_of_zeros", body("echo", &[0; 64])),
        ("args_of_ones", body("echo", &[0xff; 64])),
    ]
}
