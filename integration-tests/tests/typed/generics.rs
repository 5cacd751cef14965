//! Actor types with parameters.

use std::fmt::Debug;

use pulsar::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::PLACEMENTS;
use crate::scene::{Scene, everywhere, expect, expect_eq};

/// Last in, first out.
struct Stack<T> {
    items: Vec<T>,
}

#[pulsar::actor]
impl<T: Serialize + DeserializeOwned + Send + 'static> Stack<T> {
    fn start(_cx: Context, items: Vec<T>) -> Self {
        Self { items }
    }

    #[command]
    fn push(&mut self, item: T) -> usize {
        self.items.push(item);
        self.items.len()
    }

    #[command]
    async fn pop(&mut self) -> Option<T> {
        self.items.pop()
    }

    #[command]
    fn swap_with(&mut self, of: Proxy<Self>) -> bool {
        !of.name().is_empty()
    }
}

#[pulsar::test]
async fn one_program_may_use_a_type_with_many_parameters() -> Result<()> {
    for placement in PLACEMENTS {
        let numbers = Stack::spawn(vec![1_u64]).placement(placement).await?;
        let words = Stack::spawn(vec!["a".to_owned()])
            .placement(placement)
            .await?;
        assert_eq!(numbers.push(2).await?, 2, "{placement}");
        assert_eq!(words.push("b".to_owned()).await?, 2, "{placement}");
        assert_eq!(numbers.pop().await?, Some(2), "{placement}");
        assert_eq!(words.pop().await?, Some("b".to_owned()), "{placement}");
        assert!(!numbers.swap_with(numbers.clone()).await?);
    }
    Ok(())
}

#[pulsar::test]
async fn two_instances_of_a_type_are_two_types() -> Result<()> {
    fn numbers() -> Spawn<Stack<u64>> {
        Stack::spawn(vec![1])
    }
    everywhere(numbers, |_, (numbers, _): Scene<Stack<u64>>| async move {
        let mistaken = numbers.typed::<Stack<String>>();
        match mistaken.push("x".to_owned()).await {
            Err(CallError::Send(SendError::UnknownCommand { .. })) => {}
            other => return expect(false, other),
        }
        expect_eq(numbers.push(5).await?, 2)
    })
    .await
}

/// Keeps the last few.
struct Ring<T, const N: usize>
where
    T: Copy,
{
    last: [Option<T>; N],
}

#[pulsar::actor]
impl<T, const N: usize> Ring<T, N>
where
    T: Copy + Debug + Sync + Serialize + DeserializeOwned + Send + 'static,
{
    fn start(_cx: Context) -> Self {
        Self { last: [None; N] }
    }

    #[command]
    fn keep(&mut self, item: T) {
        self.last.rotate_right(1);
        if let Some(first) = self.last.first_mut() {
            *first = Some(item);
        }
    }

    #[command(concurrent)]
    fn kept(&self) -> Vec<T> {
        self.last.iter().copied().flatten().collect()
    }
}

#[pulsar::test]
async fn a_type_may_have_a_number_as_parameter_and_conditions() -> Result<()> {
    for placement in PLACEMENTS {
        let two = Ring::<u8, 2>::spawn().placement(placement).await?;
        let three = Ring::<u8, 3>::spawn().placement(placement).await?;
        for number in 1..=4 {
            two.keep(number).await?;
            three.keep(number).await?;
        }
        assert_eq!(two.kept().await?, [4, 3], "{placement}");
        assert_eq!(three.kept().await?, [4, 3, 2], "{placement}");
    }
    Ok(())
}

/// A number only.
struct Sized<const N: usize>;

#[pulsar::actor]
impl<const N: usize> Sized<N> {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn bytes(&self) -> Vec<u8> {
        vec![0; N]
    }
}

#[pulsar::test]
async fn a_number_alone_may_be_the_parameter() -> Result<()> {
    let (two, three) = (Sized::<2>::spawn().await?, Sized::<3>::spawn().await?);
    assert_eq!(
        (two.bytes().await?.len(), three.bytes().await?.len()),
        (2, 3)
    );
    Ok(())
}

/// A local one: its parameter needs nothing of serde.
struct Holder<T> {
    held: Option<T>,
}

#[pulsar::actor(local)]
impl<T: Send + 'static> Holder<T> {
    fn start(_cx: Context, held: T) -> Self {
        Self { held: Some(held) }
    }

    #[command]
    fn take(&mut self) -> Option<T> {
        self.held.take()
    }
}

#[pulsar::test]
async fn a_local_type_may_have_parameters() -> Result<()> {
    let holder = Holder::spawn(std::sync::mpsc::channel::<u8>()).await?;
    let (to, heard) = holder.take().await?.expect("it holds one");
    to.send(7)?;
    assert_eq!(heard.recv()?, 7);
    assert!(holder.take().await?.is_none());
    Ok(())
}

/// An actor in a module of its own, and one in a function.
mod inner {
    use pulsar::prelude::*;

    pub(super) struct Hidden(Secret);

    /// Nobody outside can name it.
    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    struct Secret(u8);

    #[pulsar::actor]
    impl Hidden {
        pub(super) fn start(_cx: Context, secret: u8) -> Self {
            Self(Secret(secret))
        }

        #[command]
        fn secret(&self) -> Secret {
            self.0.clone()
        }

        #[command]
        pub(super) fn is(&self, number: u8) -> bool {
            self.0.0 == number
        }
    }

    pub(super) async fn secret_of(hidden: &Proxy<Hidden>) -> Result<u8> {
        Ok(hidden.secret().await?.0)
    }
}

#[pulsar::test]
async fn commands_are_as_visible_as_their_methods() -> Result<()> {
    let hidden = inner::Hidden::spawn(3).thread().await?;
    assert!(hidden.is(3).await?);
    assert_eq!(inner::secret_of(&hidden).await?, 3);
    Ok(())
}

#[pulsar::test]
async fn an_actor_type_may_stand_in_a_function() -> Result<()> {
    struct Inside(u8);

    #[pulsar::actor]
    impl Inside {
        fn start(_cx: Context, number: u8) -> Self {
            Self(number)
        }

        #[command]
        fn number(&self) -> u8 {
            self.0
        }
    }
    for placement in PLACEMENTS {
        let inside = Inside::spawn(9).placement(placement).await?;
        assert_eq!(inside.number().await?, 9, "{placement}");
    }
    Ok(())
}

#[command]
fn part_1(_cx: Context) -> u32 {
    1
}

/// Its name differs by an underscore only.
#[command]
fn part1(_cx: Context) -> u32 {
    2
}

/// Some of what it does is not to be used any more.
struct Old;

#[pulsar::actor]
impl Old {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    #[deprecated = "there is a newer one"]
    fn worn(&self) -> u32 {
        1
    }

    #[command(concurrent)]
    #[deprecated = "there is a newer one"]
    fn shared(&self) -> u32 {
        2
    }
}

#[command]
#[deprecated = "there is a newer one"]
fn worn(_cx: Context) -> u32 {
    3
}

#[pulsar::test]
async fn names_that_differ_little_differ() -> Result<()> {
    let actor = spawn().task().await?;
    let parts = (
        send(&actor, part_1, ()).await?,
        send(&actor, part1, ()).await?,
    );
    assert_eq!(parts, (1, 2));
    Ok(())
}

#[pulsar::test]
#[expect(deprecated, reason = "callers are told, and only they")]
async fn commands_may_be_deprecated() -> Result<()> {
    let old = Old::spawn().await?;
    assert_eq!(old.worn().await?, 1);
    assert_eq!(old.shared().await?, 2);
    assert_eq!(send(&old, worn, ()).await?, 3);
    Ok(())
}
