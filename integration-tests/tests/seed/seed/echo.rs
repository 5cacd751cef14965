//! echo: "Received an asynchronous echo from a remote actor."

use pulsar::prelude::*;
use pulsar::send_json;

use super::PLACEMENTS;

#[pulsar::test]
async fn what_is_sent_comes_back_as_it_was() -> Result<()> {
    let large = "0123456789abcdef".repeat(1 << 16);
    let texts = ["Hello!", "", "grüß dich, 世界 🦀", "two\nlines\0", &large];
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        for text in texts {
            let back = send(&actor, echo, text).await?;
            assert!(back == text, "{placement}: {} bytes", text.len());
        }
    }
    for target in ["arbiter", "monitor"] {
        assert_eq!(send(target, echo, "Hello!").await?, "Hello!");
    }
    Ok(())
}

#[command]
async fn echo_from(_cx: Context, target: String, text: String) -> Result<String> {
    Ok(send(target, echo, text).await?)
}

#[pulsar::test]
async fn it_comes_from_any_actor_to_any_other() -> Result<()> {
    for to in PLACEMENTS {
        let _ = spawn().placement(to).name(to.to_string()).await?;
    }
    for from in PLACEMENTS {
        for to in ["process", "thread", "task", "arbiter"] {
            let text = format!("from {from} to {to}");
            let args = (to.to_owned(), text.clone());
            assert_eq!(send(from.to_string(), echo_from, args).await?, text);
        }
    }
    Ok(())
}

#[pulsar::test]
async fn of_many_at_once_each_caller_gets_its_own() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let texts = (0..200).map(|number| number.to_string());
        let echoes = texts.map(|text| {
            let echoing = tokio::spawn(send(&actor, echo, text.clone()).into_future());
            (text, echoing)
        });
        for (text, echoing) in echoes.collect::<Vec<_>>() {
            assert_eq!(echoing.await??, text, "{placement}");
        }
    }
    Ok(())
}

#[pulsar::test]
async fn what_is_no_text_is_refused() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let hello = send_json(&actor, "echo", vec!["Hello!".into()]).await;
        assert_eq!(hello.ok(), Some("Hello!".into()), "{placement}");
        for args in [vec![], vec![7.into()], vec!["a".into(), "b".into()]] {
            let refused = send_json(&actor, "echo", args.clone()).await;
            let is_typed = matches!(refused, Err(CallError::Send(SendError::Codec { .. })));
            assert!(is_typed, "{placement}: {args:?} {refused:?}");
        }
    }
    Ok(())
}
