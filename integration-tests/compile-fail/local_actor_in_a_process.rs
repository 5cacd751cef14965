use pulsar::prelude::*;

struct Source {
    next: Box<dyn Fn() -> u64 + Send>,
}

#[pulsar::actor(local)]
impl Source {
    fn start(_cx: Context, next: Box<dyn Fn() -> u64 + Send>) -> Self {
        Self { next }
    }

    #[command]
    fn next(&mut self) -> u64 {
        (self.next)()
    }
}

async fn spawns() -> Result<()> {
    let source = Source::spawn(Box::new(|| 7)).process().await?;
    source.next().await?;
    let kept = Source::spawn(Box::new(|| 7)).permanent().await?;
    kept.next().await?;
    Ok(())
}

fn main() {}
