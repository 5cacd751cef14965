//! What a child tells the arbiter in postcard: its info with each notify, its end, the errors of asks.

use std::collections::BTreeMap;
use std::fmt::Debug;

use pulsar_link::payload::{NATIVE, decode, encode};
use pulsar_model::{
    ActorInfo, Cause, ExecutorInfo, Extra, Info, LinksInfo, LoopInfo, MailboxInfo, Placement,
    SendError, State,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::Seed;

/// The bytes are values of these types, which mean the same when they are written again, or are refused.
///
/// # Panics
///
/// If they are not.
pub fn report(input: &[u8]) {
    means_the_same::<Info>(input);
    means_the_same::<Cause>(input);
    means_the_same::<SendError>(input);
}

fn means_the_same<T>(input: &[u8])
where
    T: Serialize + DeserializeOwned + Debug,
{
    let Ok(value) = decode::<T>(NATIVE, input) else {
        return;
    };
    let once = encode(NATIVE, &value).expect("what was read can be written");
    let again: T = decode(NATIVE, &once).expect("what was written can be read");
    // By its bytes, not by `==`: what is no number differs from itself.
    let twice = encode(NATIVE, &again).expect("what was read can be written");
    assert_eq!(once, twice, "{value:?} became {again:?}");
}

fn about(extra: serde_json::Value) -> Info {
    Info {
        actor: ActorInfo {
            name: "web-1".to_owned(),
            id: "bbbbbbbb-17".to_owned(),
            incarnation: 2,
            state: State::Running,
            placement: Placement::Process,
            uptime_s: 1.5,
            pid: 4711,
            thread_id: 4711,
            age: 3,
            generation: 1,
            restarts: 1,
            next_periodic_task_s: Some(0.5),
        },
        mailbox: MailboxInfo::default(),
        system: None,
        event_loop: LoopInfo::default(),
        executor: ExecutorInfo::default(),
        links: LinksInfo::default(),
        extra: Extra(BTreeMap::from([("extra".to_owned(), extra)])),
    }
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    let bytes = encode(NATIVE, value);
    bytes.expect("a seed can be written").to_vec()
}

/// Lists within lists, deeper than any reader should follow.
fn nested(depth: usize) -> Vec<u8> {
    let mut info = bytes(&about(json!("@")));
    let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    // The JSON text is the last field: its length, then `{"extra":"@"}`.
    info.truncate(info.len() - "{\"extra\":\"@\"}".len() - 1);
    info.extend(bytes(&format!("{{\"extra\":{text}}}")));
    info
}

pub(crate) fn seeds() -> Vec<Seed> {
    let info = bytes(&about(json!({"port": [1, "x", null, 1.5, true]})));
    let no_number = Info {
        actor: ActorInfo {
            uptime_s: f64::NAN,
            ..about(json!(null)).actor
        },
        ..about(json!(null))
    };
    let died = SendError::ActorDied {
        cause: Cause::Panic("at the disco".to_owned()),
    };
    let signal = Cause::Signal {
        signal: -1,
        core_dumped: true,
    };
    vec![
        ("empty", Vec::new()),
        ("info", info.clone()),
        ("info_of_no_number", bytes(&no_number)),
        ("info_with_nested_lists", nested(20)),
        ("info_with_deeply_nested_lists", nested(5_000)),
        ("cause_normal", bytes(&Cause::Normal)),
        ("cause_signal", bytes(&signal)),
        ("cause_panic", bytes(&Cause::Panic(String::new()))),
        ("error_actor_died", bytes(&died)),
        (
            "error_full",
            bytes(&SendError::MailboxFull {
                capacity: usize::MAX,
            }),
        ),
        (
            "text_longer_than_all",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01".to_vec(),
        ),
        ("number_that_never_ends", vec![0x80; 64]),
        ("unknown_variant", vec![0x7f; 8]),
        ("text_that_is_no_text", b"\x02\xff\xfe".to_vec()),
        ("truncated_in_a_text", info[..3].to_vec()),
        ("truncated_in_the_middle", info[..info.len() / 2].to_vec()),
        (
            "truncated_at_its_last_byte",
            info[..info.len() - 1].to_vec(),
        ),
        ("more_than_an_info", [&info[..], b"more"].concat()),
    ]
}
