//! Faults on purpose, for tests and demonstrations: what a supervisor must survive.

use std::{hint::black_box, process, ptr};

use rustix::{
    mm::{MapFlags, ProtFlags, mmap_anonymous},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use crate::status::Status;

/// Reads memory that may not be read: the process dies of `SIGSEGV`.
pub fn segv() -> ! {
    const LENGTH: usize = 4_096;
    // SAFETY: a fresh mapping at a place of the kernel's choice touches no other memory.
    let page = unsafe {
        mmap_anonymous(
            ptr::null_mut(),
            LENGTH,
            ProtFlags::empty(),
            MapFlags::PRIVATE,
        )
    };
    if let Ok(page) = page {
        // SAFETY: this is the one access of the crate that is wrong on purpose. The page is mapped without any right,
        // so the processor stops at this instruction and the kernel ends the process: no code runs that could see
        // the result. It is not a null pointer, so that the compiler can't reason about it.
        black_box(unsafe { page.cast::<u8>().read_volatile() });
    }
    // Reached only if a handler of the program steps over the fault, or nothing could be mapped.
    process::abort()
}

/// Aborts: the process dies of `SIGABRT`.
pub fn abort() -> ! {
    process::abort()
}

/// Leaves with this code, of which the system keeps the lowest eight bits.
pub fn exit(code: i32) -> ! {
    process::exit(code)
}

/// Fills the stack of the current thread: the process dies of `SIGABRT` if the standard library watches the thread's
/// stack, else of `SIGSEGV`.
pub fn stack_overflow() -> ! {
    black_box(descend(black_box(0)));
    process::abort()
}

/// Never returns in fact, which the compiler can't know; and is used after it returns, so it is no tail call.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    let ballast = black_box([depth; 128]);
    if black_box(false) {
        return depth;
    }
    descend(depth.wrapping_add(1)).wrapping_add(black_box(ballast)[7])
}

/// Holds the processor for ever, without a call of the system.
pub fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Takes memory until the allocator has none: the process dies of `SIGABRT`.
///
/// Before that it limits its own address space to `limit_bytes` more than it has now, so that the rest of the system
/// is never short of memory. If the limit can't be set it aborts at once.
pub fn out_of_memory(limit_bytes: u64) -> ! {
    const CHUNK: usize = 1 << 20;
    if limit_address_space(limit_bytes).is_none() {
        process::abort()
    }
    // Bounded also where the limit is accepted but not enforced.
    let most = limit_bytes / CHUNK as u64 + 1;
    let mut taken = Vec::new();
    for _ in 0..most {
        // Bytes that aren't zero must be written, so the memory is really used.
        taken.push(black_box(vec![1_u8; CHUNK]));
    }
    drop(black_box(taken));
    process::abort()
}

fn limit_address_space(more_bytes: u64) -> Option<()> {
    let wanted = Status::read()
        .ok()?
        .bytes("VmSize")
        .ok()?
        .checked_add(more_bytes)?;
    let allowed = getrlimit(Resource::As).maximum.unwrap_or(u64::MAX);
    let limit = Some(wanted.min(allowed));
    let limit = Rlimit {
        current: limit,
        maximum: limit,
    };
    setrlimit(Resource::As, limit).ok()
}
