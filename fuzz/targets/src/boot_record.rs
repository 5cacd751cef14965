//! The boot record.

use bytes::Bytes;
use pulsar_wire::fields::FieldsWriter;
use pulsar_wire::{BootRecord, PROTOCOL_VERSION};

use crate::Seed;

/// Descriptors of a record that is written again here: with the other fields they are fewer than a record may have.
const MANY: usize = 4_000;

/// The bytes are a boot record, which means the same when it is written again, or are refused.
///
/// # Panics
///
/// If they are not.
pub fn boot_record(input: &[u8]) {
    let Ok(record) = BootRecord::decode(Bytes::copy_from_slice(input)) else {
        return;
    };
    let parts = [
        &record.identity,
        &record.world,
        &record.timing,
        &record.log,
        &record.settings,
        &record.behaviour,
    ];
    let names = record.descriptors.iter().map(String::len);
    let held: usize = parts.iter().map(|part| part.len()).chain(names).sum();
    assert!(held <= input.len(), "it holds more than it was given");
    if record.descriptors.len() <= MANY {
        assert_eq!(BootRecord::decode(record.encode()), Ok(record));
    }
}

const VERSION: u16 = 1;
const DESCRIPTOR: u16 = 8;

fn valid() -> BootRecord {
    let part = |text: &'static str| Bytes::from_static(text.as_bytes());
    BootRecord {
        version: PROTOCOL_VERSION,
        identity: part("identity"),
        world: part("world"),
        timing: part("timing"),
        log: part("log"),
        settings: part("settings"),
        behaviour: part("behaviour"),
        descriptors: vec!["listener".to_owned(), "log".to_owned()],
    }
}

fn with(tag: u16, value: &[u8]) -> Vec<u8> {
    let mut field = FieldsWriter::default();
    field.put(tag, value);
    [valid().encode(), field.finish()].concat()
}

/// So many empty fields of one tag.
fn many(tag: u16, count: usize) -> Vec<u8> {
    let mut fields = FieldsWriter::default();
    for _ in 0..count {
        fields.put(tag, b"");
    }
    fields.finish().to_vec()
}

pub(crate) fn seeds() -> Vec<Seed> {
    let whole = valid().encode().to_vec();
    let mut longer_than_itself = whole.clone();
    longer_than_itself[2..6].copy_from_slice(&u32::MAX.to_le_bytes());
    vec![
        ("empty", Vec::new()),
        ("valid", whole.clone()),
        ("nothing_in_it", BootRecord::default().encode().to_vec()),
        // A record that was written again was of this side's version, whatever it had said.
        ("another_version", with(VERSION, &99_u64.to_le_bytes())),
        (
            "version_over_32_bits",
            with(VERSION, &u64::MAX.to_le_bytes()),
        ),
        ("version_of_no_bytes", with(VERSION, b"")),
        ("descriptor_without_a_name", with(DESCRIPTOR, b"")),
        ("descriptor_that_is_no_text", with(DESCRIPTOR, b"\xff")),
        ("descriptor_twice", with(DESCRIPTOR, b"log")),
        ("field_of_the_future", with(77, b"new")),
        ("fields_up_to_the_limit", many(900, 4096)),
        ("a_field_over_the_limit", many(900, 4097)),
        ("descriptors_up_to_the_limit", many(DESCRIPTOR, 4096)),
        ("part_twice", [&whole[..], &whole].concat()),
        ("field_longer_than_all", longer_than_itself),
        ("truncated_in_a_tag", whole[..1].to_vec()),
        ("truncated_in_a_length", whole[..3].to_vec()),
        ("truncated_behind_a_length", whole[..6].to_vec()),
        ("truncated_in_a_value", whole[..20].to_vec()),
        (
            "truncated_at_its_last_byte",
            whole[..whole.len() - 1].to_vec(),
        ),
        ("text", b"PULSAR_BOOT=3:1\n".to_vec()),
    ]
}
