use pulsar::prelude::*;

struct Reader<'a> {
    text: &'a str,
}

#[pulsar::actor]
impl<'a> Reader<'a> {
    fn start(_cx: Context) -> Self {
        Self { text: "" }
    }
}

struct Other<'a> {
    text: &'a str,
}

#[pulsar::actor]
impl Other<'_> {
    fn start(_cx: Context) -> Self {
        Self { text: "" }
    }

    #[command]
    fn text(&self) -> String {
        self.text.to_owned()
    }
}

fn main() {}
