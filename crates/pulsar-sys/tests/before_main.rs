//! A function before `main`, in a crate that forbids unsafe code.

#![forbid(unsafe_code)]

use std::sync::OnceLock;

use pulsar_sys::{entry, usage};

struct Early {
    arguments: Vec<std::ffi::OsString>,
    on_main_thread: bool,
    threads: u32,
}

static EARLY: OnceLock<Early> = OnceLock::new();

extern "C" fn look_around() {
    let threads = usage::Usage::current().map_or(0, |usage| usage.threads);
    EARLY.get_or_init(|| Early {
        arguments: entry::arguments(),
        on_main_thread: usage::on_main_thread(),
        threads,
    });
}

pulsar_sys::before_main!(look_around);

fn main() {
    let early = EARLY.get().expect("nothing ran before main");
    assert_eq!(early.arguments, entry::arguments());
    assert!(!early.arguments.is_empty());
    assert!(early.on_main_thread);
    assert_eq!(early.threads, 1);
    println!("test a_function_runs_before_main_alone_and_with_the_arguments ... ok");
    println!("\ntest result: ok. 1 passed; 0 failed");
}
