//! Shared bytes and tools, which speak JSON.

use pulsar::prelude::*;
use pulsar::send_json;
use serde_json::json;

fn codec_message<T: std::fmt::Debug>(
    sent: std::result::Result<T, CallError<serde_json::Value>>,
) -> Result<String> {
    match sent {
        Err(CallError::Send(SendError::Codec { message })) => Ok(message),
        other => Err(Error::msg(format!("{other:?}"))),
    }
}

#[pulsar::test]
async fn a_tool_is_told_that_shared_bytes_are_no_text() -> Result<()> {
    for actor in [spawn().await?, spawn().task().await?] {
        let reply = send_json(&actor, "make", vec![json!("text")]).await;
        let message = codec_message(reply)?;
        assert!(message.contains("cannot be shown"), "{message}");
        let reply = send_json(&actor, "sum", vec![json!([1, 2, 3])]).await;
        let message = codec_message(reply)?;
        assert!(message.contains("`bytes: SharedBytes`"), "{message}");
        assert!(message.contains("given as text"), "{message}");
        // It was no panic: the actor answers.
        assert_eq!(send(&actor, ping, ()).await?, "pong");
    }
    Ok(())
}
