//! Shared bytes in what an actor begins with, and in functions that are run from afar.

use std::sync::Arc;

use pulsar::prelude::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::yield_now;

use crate::sockets::open_files;
use crate::{file_of, mapped};

/// Has what it began with, until it forgets it.
struct Reader {
    book: Option<SharedBytes>,
}

#[pulsar::actor]
impl Reader {
    async fn start(_cx: Context, title: String, book: SharedBytes) -> Result<Self> {
        assert_eq!(title, "a book");
        Ok(Self { book: Some(book) })
    }

    #[command]
    async fn read(&mut self) -> String {
        let book = self.book.clone().unwrap_or_default();
        String::from_utf8_lossy(&book).into_owned()
    }

    #[command]
    async fn file(&mut self) -> Result<u64, Error> {
        file_of(&self.book.clone().unwrap_or_default())
    }

    /// What this process has open and mapped, before and after.
    #[command]
    async fn forget(&mut self) -> Result<[(usize, usize); 2], Error> {
        let before = (open_files()?, mapped()?);
        self.book = None;
        Ok([before, (open_files()?, mapped()?)])
    }

    #[command]
    async fn pid(&mut self) -> u32 {
        std::process::id()
    }
}

fn title() -> String {
    "a book".to_owned()
}

#[pulsar::test]
async fn an_actor_begins_with_shared_bytes_in_each_placement() -> Result<()> {
    let book = SharedBytes::copy_from(b"once upon a time")?;
    let file = file_of(&book)?;
    for reader in [
        Reader::spawn(title(), book.clone()).process().await?,
        Reader::spawn(title(), book.clone()).thread().await?,
        Reader::spawn(title(), book.clone()).task().await?,
    ] {
        assert_eq!(reader.read().await?, "once upon a time");
        assert_eq!(reader.file().await?, file);
    }
    Ok(())
}

#[pulsar::test]
async fn what_an_actor_began_with_is_freed_when_it_lets_go_of_it() -> Result<()> {
    let book = SharedBytes::copy_from(b"to be forgotten")?;
    let reader = Reader::spawn(title(), book).process().await?;
    let [before, after] = reader.forget().await?;
    assert_eq!(before.1, 1);
    assert_eq!(after, (before.0 - 1, 0));
    Ok(())
}

#[pulsar::test]
async fn a_restarted_actor_begins_with_them_again() -> Result<()> {
    let book = SharedBytes::copy_from(b"again")?;
    let reader = Reader::spawn(title(), book).process().permanent().await?;
    assert_eq!(mapped()?, 0);
    let first = reader.pid().await?;
    arbiter().kill_actor(&reader).await?;
    let second = loop {
        match reader.pid().await {
            Ok(pid) => break pid,
            Err(_) => yield_now().await,
        }
    };
    assert_ne!(first, second);
    assert_eq!(reader.read().await?, "again");
    Ok(())
}

/// Spawns a reader of its own.
#[command]
async fn raise(_cx: Context, placement: Placement, book: SharedBytes) -> Result<String, Error> {
    let reader = Reader::spawn(title(), book);
    let reader = match placement {
        Placement::Process => reader.process().await?,
        Placement::Thread => reader.thread().await?,
        Placement::Task => reader.task().await?,
    };
    Ok(reader.read().await?)
}

#[pulsar::test]
async fn a_process_spawns_actors_that_begin_with_them() -> Result<()> {
    let parent = spawn().await?;
    let book = SharedBytes::copy_from(b"handed down")?;
    for placement in [Placement::Process, Placement::Thread, Placement::Task] {
        let read = send(&parent, raise, (placement, book.clone())).await?;
        assert_eq!(read, "handed down", "{placement:?}");
    }
    Ok(())
}

#[pulsar::test]
async fn hooks_and_functions_run_from_afar_take_them_too() -> Result<()> {
    async fn start(cx: Context, book: SharedBytes) -> Result<()> {
        cx.set_extra("begins", String::from_utf8_lossy(&book[..4]));
        Ok(())
    }
    async fn upper(_cx: Context, book: SharedBytes) -> Option<SharedBytes> {
        SharedBytes::copy_from(&book.to_ascii_uppercase()).ok()
    }
    let book = SharedBytes::copy_from(b"once upon a time")?;
    let actor = spawn().start(start, book.clone()).await?;
    let extra = send(&actor, info, ()).await?.extra;
    assert_eq!(extra.0.get("begins"), Some(&"once".into()));
    let upper = run(&actor, upper, book).await?;
    assert_eq!(&*upper.unwrap_or_default(), b"ONCE UPON A TIME");
    Ok(())
}

#[pulsar::test]
async fn more_than_a_start_carries_is_refused() -> Result<()> {
    async fn start(_cx: Context, _books: Vec<SharedBytes>) -> Result<()> {
        Ok(())
    }
    let books = (0..64).map(|_| SharedBytes::copy_from(b"one of many"));
    let books: Vec<_> = books.collect::<std::io::Result<_>>()?;
    spawn().start(start, books.clone()).await?;
    let file = std::fs::File::open("/dev/null")?;
    let spawned = spawn()
        .start(start, books)
        .descriptor("null", Arc::new(file.into()));
    let Err(SpawnError::Hook { message }) = spawned.await else {
        return Err(Error::msg("spawned"));
    };
    assert!(message.contains("at most 64"), "{message}");
    Ok(())
}

async fn begin_with(_cx: Context, _model: SharedBytes) {}

/// How many permanent actors it could spawn with the same shared bytes, and why no more.
#[command]
async fn spawn_permanent(
    _cx: Context,
    model: SharedBytes,
    count: usize,
) -> Result<(usize, String), Error> {
    for done in 0..count {
        let actor = spawn().start(begin_with, model.clone()).permanent();
        if let Err(error) = actor.await {
            return Ok((done, error.to_string()));
        }
    }
    Ok((count, String::new()))
}

/// What the arbiter keeps for their restarts does not count as what waits to be read.
#[pulsar::test]
async fn many_permanent_actors_begin_with_the_same_bytes() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(256);
    setrlimit(Resource::Nofile, Rlimit { current, maximum })?;
    let spawner = spawn().await?;
    let model = SharedBytes::copy_from(b"model")?;
    let spawned = send(&spawner, spawn_permanent, (model, 40_usize)).await?;
    assert_eq!(spawned, (40, String::new()));
    Ok(())
}
