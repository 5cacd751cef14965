use pulsar::prelude::*;

async fn spawns(port: u16) -> Result<()> {
    let start = spawn().start(
        move |cx: Context, (): ()| async move {
            cx.set_extra("port", port);
        },
        (),
    );
    start.await?;
    Ok(())
}

fn main() {}
