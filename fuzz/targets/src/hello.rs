//! The hello.

use bytes::Bytes;
use pulsar_wire::fields::FieldsWriter;
use pulsar_wire::{Aid, ArbiterId, Hello, HelloError, Incarnation, PROTOCOL_VERSION};

use crate::Seed;

/// The bytes are a hello, which means the same when it is written again, or are refused.
///
/// # Panics
///
/// If they are not.
pub fn hello(input: &[u8]) {
    let Ok(hello) = Hello::decode(Bytes::copy_from_slice(input)) else {
        return;
    };
    assert_eq!(Hello::decode(hello.encode()).as_ref(), Ok(&hello));
    assert_eq!(hello.check(&hello), Ok(()));
    // Whatever it says, it is let in as nobody else.
    let other = Hello {
        incarnation: hello.incarnation.next(),
        ..hello.clone()
    };
    let expected = match hello.incarnation == other.incarnation {
        // The last life that can be counted.
        true => Ok(()),
        false => Err(HelloError::Identity),
    };
    assert_eq!(hello.check(&other), expected);
}

const VERSION: u16 = 1;
const AID: u16 = 3;
const PID: u16 = 5;

fn valid() -> Hello {
    Hello {
        version: PROTOCOL_VERSION,
        build: Bytes::from_static(b"\x01\x02build"),
        aid: Aid::task_in(ArbiterId::from_entropy(0x5eed), 17, 3),
        incarnation: Incarnation(2),
        pid: 4711,
    }
}

/// A valid hello, and behind it a field that takes the place of its own.
fn with(tag: u16, value: &[u8]) -> Vec<u8> {
    let mut field = FieldsWriter::default();
    field.put(tag, value);
    [valid().encode(), field.finish()].concat()
}

pub(crate) fn seeds() -> Vec<Seed> {
    let whole = valid().encode().to_vec();
    let mut longer_than_itself = whole.clone();
    longer_than_itself[2..6].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut nothing_known = FieldsWriter::default();
    nothing_known.put(900, b"from the future");
    vec![
        ("empty", Vec::new()),
        ("valid", whole.clone()),
        ("another_version", with(VERSION, &99_u64.to_le_bytes())),
        (
            "version_over_32_bits",
            with(VERSION, &u64::MAX.to_le_bytes()),
        ),
        ("version_of_three_bytes", with(VERSION, b"\x01\0\0")),
        (
            "no_build",
            Hello {
                build: Bytes::new(),
                ..valid()
            }
            .encode()
            .to_vec(),
        ),
        ("last_life", {
            let incarnation = Incarnation(u32::MAX);
            Hello {
                incarnation,
                ..valid()
            }
            .encode()
            .to_vec()
        }),
        ("no_life", {
            let incarnation = Incarnation(0);
            Hello {
                incarnation,
                ..valid()
            }
            .encode()
            .to_vec()
        }),
        ("the_arbiters_place", {
            let aid = Aid::new(valid().aid.arbiter(), Aid::ARBITER_PLACE);
            Hello { aid, ..valid() }.encode().to_vec()
        }),
        ("aid_of_nothing", with(AID, b"")),
        ("aid_that_is_no_text", with(AID, b"\xff\xfe")),
        ("aid_without_a_place", with(AID, b"bbbbbbbb-")),
        ("aid_with_leading_zeros", with(AID, b"bbbbbbbb-0017")),
        ("aid_with_task_zero", with(AID, b"bbbbbbbb-17-0")),
        ("aid_over_32_bits", with(AID, b"bbbbbbbb-4294967296")),
        ("pid_over_32_bits", with(PID, &(1_u64 << 32).to_le_bytes())),
        ("field_of_the_future", with(900, b"whatever")),
        ("only_of_the_future", nothing_known.finish().to_vec()),
        ("twice", [&whole[..], &whole].concat()),
        ("field_longer_than_all", longer_than_itself),
        ("truncated_in_a_tag", whole[..1].to_vec()),
        ("truncated_in_a_length", whole[..5].to_vec()),
        ("truncated_in_a_value", whole[..9].to_vec()),
        (
            "truncated_at_its_last_byte",
            whole[..whole.len() - 1].to_vec(),
        ),
    ]
}
