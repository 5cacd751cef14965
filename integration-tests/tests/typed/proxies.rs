//! References to actors of a type.

use std::collections::HashSet;

use pulsar::RawProxy;
use pulsar::prelude::*;
use serde::{Deserialize, Serialize};

use crate::PLACEMENTS;
use crate::counter::Counter;
use crate::scene::{Scene, everywhere, expect, expect_eq};

/// Another type, with a command of the counter's name and types.
struct Other;

#[pulsar::actor]
impl Other {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn add(&mut self, by: u64) -> u64 {
        by * 1000
    }
}

fn counter() -> Spawn<Counter> {
    Counter::spawn(10)
}

#[pulsar::test]
async fn an_actor_of_another_type_does_not_know_the_command() -> Result<()> {
    everywhere(counter, |_, (counter, _): Scene<Counter>| async move {
        let mistaken = counter.typed::<Other>();
        match mistaken.add(1).await {
            Err(CallError::Send(SendError::UnknownCommand { command, .. })) => {
                expect(command.ends_with("Other.add"), command)?;
            }
            other => return expect(false, other),
        }
        // What is sent without waiting is not run either.
        match mistaken.add(1).try_send() {
            Err(unsent) => {
                let unknown = matches!(unsent.error, SendError::UnknownCommand { .. });
                expect(unknown, unsent)?;
            }
            Ok(sent) => {
                let answer = sent.await;
                expect(answer.is_err(), answer)?;
            }
        }
        expect_eq(counter.total().await?, 10)
    })
    .await
}

#[pulsar::test]
async fn a_plain_actor_does_not_know_the_command_either() -> Result<()> {
    for placement in PLACEMENTS {
        let mistaken = spawn().placement(placement).await?.typed::<Counter>();
        match mistaken.total().await {
            Err(CallError::Send(SendError::UnknownCommand { .. })) => {}
            other => panic!("{placement}: {other:?}"),
        }
    }
    Ok(())
}

#[pulsar::test]
async fn a_type_can_be_taken_off_a_proxy_and_put_on_again() -> Result<()> {
    everywhere(counter, |_, (counter, _): Scene<Counter>| async move {
        let plain = counter.untyped();
        expect_eq(send(&plain, ping, ()).await?, "pong")?;
        expect_eq(plain.typed::<Counter>().add(1).await?, 11)?;
        let raw = RawProxy::new(counter.aid(), "");
        expect_eq(Proxy::<Counter>::from(raw).add(1).await?, 12)
    })
    .await
}

/// A proxy in a larger whole.
#[derive(Debug, Serialize, Deserialize)]
struct Letter {
    to: Proxy<Counter>,
    copies: Vec<Proxy<Counter>>,
}

#[pulsar::test]
async fn proxies_are_equal_by_their_id_and_travel() -> Result<()> {
    let named = Counter::spawn(1).name("named").task().await?;
    let nameless = Counter::spawn(2).task().await?;
    assert_eq!(named, named.clone());
    assert_ne!(named, nameless);
    assert_eq!(named, named.untyped());
    let raw = RawProxy::new(named.aid(), "by another name");
    assert_eq!(Proxy::<Counter>::from(raw), named);
    let all: HashSet<_> = [named.clone(), nameless.clone(), named.clone()].into();
    assert_eq!(all.len(), 2);
    assert_eq!((named.name(), nameless.name()), ("named", ""));
    assert_eq!(named.to_string(), format!("named ({})", named.aid()));
    assert_eq!(nameless.to_string(), nameless.aid().to_string());
    assert!(format!("{named:?}").contains("named"));

    let letter = Letter {
        to: named.clone(),
        copies: vec![nameless.clone()],
    };
    let json = serde_json::to_string(&letter)?;
    let letter: Letter = serde_json::from_str(&json)?;
    assert_eq!((&letter.to, letter.to.name()), (&named, "named"));
    assert_eq!(letter.copies[0].total().await?, 2);
    Ok(())
}

/// Knows a counter from its start, and gets to know others.
struct Friend {
    first: Proxy<Counter>,
}

#[pulsar::actor]
impl Friend {
    fn start(_cx: Context, first: Proxy<Counter>) -> Self {
        Self { first }
    }

    /// Adds on its counter and on others.
    #[command]
    async fn spread(&mut self, letter: Letter) -> Result<Vec<u64>, Error> {
        let mut totals = vec![self.first.add(1).await?, letter.to.add(2).await?];
        for copy in letter.copies {
            totals.push(copy.add(3).await?);
        }
        Ok(totals)
    }
}

#[pulsar::test]
async fn an_actor_calls_those_whose_proxies_it_was_given() -> Result<()> {
    for from in PLACEMENTS {
        for to in PLACEMENTS {
            let counter = Counter::spawn(0).placement(to).await?;
            let friend = Friend::spawn(counter.clone()).placement(from).await?;
            let letter = Letter {
                to: counter.clone(),
                copies: vec![counter.clone(); 2],
            };
            let totals = friend.spread(letter).await?;
            assert_eq!(totals, [1, 3, 6, 9], "{from} to {to}");
            assert_eq!(counter.total().await?, 9, "{from} to {to}");
            arbiter().kill_actor(&friend).await?;
            arbiter().kill_actor(&counter).await?;
        }
    }
    Ok(())
}

/// A free command that is given a reference to an actor of a type.
#[command]
async fn add_through(_cx: Context, counter: Proxy<Counter>, by: u64) -> Result<u64, Error> {
    Ok(counter.add(by).await?)
}

#[pulsar::test]
async fn a_free_command_calls_those_whose_proxies_it_was_given() -> Result<()> {
    for from in PLACEMENTS {
        for to in PLACEMENTS {
            let counter = Counter::spawn(0).placement(to).await?;
            let between = spawn().placement(from).await?;
            let total = send(&between, add_through, (counter.clone(), 5)).await?;
            assert_eq!(total, 5, "{from} to {to}");
            arbiter().kill_actor(&between).await?;
            arbiter().kill_actor(&counter).await?;
        }
    }
    Ok(())
}

/// Two types of one path: each in a block of one function.
#[pulsar::test]
async fn types_of_one_path_are_told_apart() -> Result<()> {
    let doubles = {
        struct Twin;
        #[pulsar::actor]
        impl Twin {
            fn start(_cx: Context) -> Self {
                Self
            }

            #[command]
            fn twice(&mut self, n: u32) -> u32 {
                n * 2
            }
        }
        Twin::spawn().await?.untyped()
    };
    {
        struct Twin;
        #[pulsar::actor]
        impl Twin {
            fn start(_cx: Context) -> Self {
                Self
            }

            #[command]
            fn twice(&mut self, n: i32) -> i32 {
                n * 2
            }
        }
        let told = doubles.typed::<Twin>().twice(-3).await;
        let unknown = matches!(told, Err(CallError::Send(SendError::UnknownCommand { .. })));
        assert!(unknown, "{told:?}");
        assert_eq!(Twin::spawn().await?.twice(-3).await?, -6);
    }
    Ok(())
}

#[pulsar::test]
async fn a_mistaken_type_is_told_alike_in_each_placement() -> Result<()> {
    for placement in PLACEMENTS {
        let counter = counter().placement(placement).await?;
        let told = counter.typed::<Other>().add(1).await;
        let text = told.map_err(|error| error.to_string());
        let path = concat!(module_path!(), "::Other.add");
        assert_eq!(
            text,
            Err(format!(
                "no command is named {path:?}; the actor is of another type than its proxy says, \
                 or has no type"
            )),
            "{placement}"
        );
    }
    Ok(())
}

#[command]
async fn total_of(_cx: Context, name: String) -> Result<u64> {
    let found: Proxy<Counter> = find(&name).await?;
    Ok(found.total().await?)
}

#[pulsar::test]
async fn a_name_is_found_where_it_is_now() -> Result<()> {
    let seeker = spawn().await?;
    for placement in PLACEMENTS {
        for total in [1, 2, 3] {
            let counter = Counter::spawn(total).placement(placement);
            let counter = counter.name("counter").await?;
            let found = send(&seeker, total_of, "counter").await?;
            assert_eq!(found, total, "{placement}");
            arbiter().stop_actor(&counter).await?;
        }
    }
    Ok(())
}
