//! From everywhere to everywhere, and anywhere in a value.

use std::collections::BTreeMap;

use pulsar::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Keeper, Rejected, file_of, make, mapped, not_answered, reject, sum};

/// Asks one actor for all that shared bytes can stand in.
async fn speak_with(to: &Proxy) -> Result<(), Error> {
    let bytes = SharedBytes::copy_from(&[7; 100_000])?;
    assert_eq!(send(to, sum, bytes.clone()).await?, 700_000);
    let made = send(to, make, "made there").await?;
    assert_eq!(&*made, b"made there");
    let rejected = send(to, reject, bytes.clone()).await;
    let Err(CallError::Command(rejected)) = rejected else {
        return Err(Error::msg(format!("{rejected:?}")));
    };
    let why = "100000 bytes".to_owned();
    assert_eq!(rejected, Rejected { why, bytes });
    Ok(())
}

#[command]
async fn speak(_cx: Context, to: Proxy) -> Result<(), Error> {
    speak_with(&to).await
}

/// Speaks with a task of its own.
#[command]
async fn speak_within(_cx: Context) -> Result<(), Error> {
    speak_with(&spawn().task().await?).await
}

#[pulsar::test]
async fn shared_bytes_pass_from_the_arbiters_process_to_each_placement() -> Result<()> {
    for actor in [
        spawn().await?,
        spawn().thread().await?,
        spawn().task().await?,
    ] {
        speak_with(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn shared_bytes_pass_from_a_process_to_each_placement() -> Result<()> {
    let asker = spawn().await?;
    for actor in [
        spawn().await?,
        spawn().thread().await?,
        spawn().task().await?,
    ] {
        send(&asker, speak, actor).await?;
    }
    send(&asker, speak_within, ()).await?;
    Ok(())
}

#[pulsar::test]
async fn commands_of_an_actors_own_take_and_give_shared_bytes() -> Result<()> {
    for keeper in [
        Keeper::spawn().process().await?,
        Keeper::spawn().thread().await?,
        Keeper::spawn().task().await?,
    ] {
        let bytes = SharedBytes::copy_from(b"kept")?;
        assert_eq!(keeper.keep(bytes.clone()).await?, 1);
        keeper.take(SharedBytes::copy_from(b"told")?).await?;
        assert_eq!(keeper.last_as_text().await?, "told");
        let refused = keeper.refuse().await;
        let Err(CallError::Command(Rejected { bytes: told, .. })) = refused else {
            return Err(Error::msg(format!("{refused:?}")));
        };
        assert_eq!(&*told, b"told");
        let kept = keeper.last().await?;
        assert_eq!(kept.as_ref(), Some(&bytes));
        // One memory, wherever it is kept.
        assert_eq!(file_of(&kept.unwrap_or_default())?, file_of(&bytes)?);
    }
    Ok(())
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Album {
    pages: Vec<SharedBytes>,
    cover: Option<SharedBytes>,
    notes: BTreeMap<String, Page>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Page {
    Empty,
    Full { number: u32, bytes: SharedBytes },
}

/// How many are mapped while the album is here, and the album, its pages turned.
#[command]
async fn turn(_cx: Context, mut album: Album) -> Result<(usize, Album), Error> {
    album.pages.reverse();
    Ok((mapped()?, album))
}

#[pulsar::test]
async fn shared_bytes_are_found_wherever_they_stand_and_the_same_only_once() -> Result<()> {
    let page = |text: &str| SharedBytes::copy_from(text.as_bytes());
    let (first, second) = (page("first")?, page("second")?);
    let album = Album {
        pages: vec![first.clone(), second.clone(), first.clone()],
        cover: Some(first.clone()),
        notes: BTreeMap::from([
            ("none".to_owned(), Page::Empty),
            (
                "one".to_owned(),
                Page::Full {
                    number: 3,
                    bytes: page("note")?,
                },
            ),
            (
                "nothing".to_owned(),
                Page::Full {
                    number: 0,
                    bytes: SharedBytes::default(),
                },
            ),
        ]),
    };
    let actor = spawn().await?;
    let (mapped, turned) = send(&actor, turn, album.clone()).await?;
    assert_eq!(mapped, 3);
    let mut expected = album;
    expected.pages.reverse();
    assert_eq!(turned, expected);
    assert_eq!(file_of(&turned.pages[1])?, file_of(&second)?);
    Ok(())
}

#[pulsar::test]
async fn more_than_a_message_carries_are_an_error_that_says_how_many() -> Result<()> {
    let actor = spawn().await?;
    let album = |count| -> Result<Album> {
        let pages = (0..count).map(|_| SharedBytes::copy_from(b"page"));
        Ok(Album {
            pages: pages.collect::<std::io::Result<_>>()?,
            cover: None,
            notes: BTreeMap::new(),
        })
    };
    let (mapped, _) = send(&actor, turn, album(64)?).await?;
    assert_eq!(mapped, 64);
    let refused = send(&actor, turn, album(65)?).await;
    let Err(CallError::Send(SendError::Codec { message })) = refused else {
        return Err(Error::msg(format!("{refused:?}")));
    };
    assert!(message.contains("at most 64"), "{message}");
    Ok(())
}

/// Passes on what it was given, and says which file that is here.
#[command]
async fn forward(_cx: Context, bytes: SharedBytes, to: Vec<Proxy>) -> Result<Vec<u64>, Error> {
    let here = file_of(&bytes)?;
    let mut files = match to.split_last() {
        Some((next, others)) => send(next, forward, (bytes, others.to_vec())).await?,
        None => Vec::new(),
    };
    files.push(here);
    Ok(files)
}

#[pulsar::test]
async fn what_a_receiver_passes_on_is_the_same_memory_in_all_processes() -> Result<()> {
    let bytes = SharedBytes::copy_from(&[3; 1 << 20])?;
    let here = file_of(&bytes)?;
    let (one, two) = (spawn().await?, spawn().await?);
    let (three, thread) = (spawn().await?, spawn().thread().await?);
    let files = send(&one, forward, (bytes, vec![three, thread, two])).await?;
    assert_eq!(files, [here; 4]);
    Ok(())
}

/// How often a call was given back before it was sent; what it then came to.
#[command]
async fn insist(_cx: Context, to: Proxy, text: String) -> Result<(u32, u64), Error> {
    let bytes = SharedBytes::copy_from(text.as_bytes())?;
    let mut call = send(&to, sum, bytes);
    let mut given_back = 0;
    let sent = loop {
        match call.try_send() {
            Ok(sent) => break sent,
            Err(unsent) => call = unsent.call,
        }
        given_back += 1;
        tokio::task::yield_now().await;
    };
    Ok((given_back, sent.await.map_err(not_answered)?))
}

#[pulsar::test]
async fn a_call_that_is_given_back_has_its_shared_bytes_still() -> Result<()> {
    let (one, other) = (spawn().await?, spawn().await?);
    // The way is not known at first.
    let (given_back, sum) = send(&one, insist, (other, "AA".to_owned())).await?;
    assert!(given_back > 0);
    assert_eq!(sum, 130);
    Ok(())
}
