//! That an actor has ended, said by its process before that ends too.

use std::collections::HashMap;

use parking_lot::Mutex;
use pulsar_model::Aid;
use tokio::sync::oneshot;

/// Who waits for whose last word.
#[derive(Debug, Default)]
pub struct LastWords {
    awaited: Mutex<HashMap<Aid, oneshot::Sender<()>>>,
}

impl LastWords {
    /// Waits for the word of one; a listener before is forgotten.
    pub fn listen(&self, aid: Aid) -> oneshot::Receiver<()> {
        let (sender, said) = oneshot::channel();
        self.awaited.lock().insert(aid, sender);
        said
    }

    /// Nobody waits for it any more.
    pub fn forget(&self, aid: Aid) {
        self.awaited.lock().remove(&aid);
    }

    /// It was said.
    pub fn said(&self, aid: Aid) {
        if let Some(sender) = self.awaited.lock().remove(&aid) {
            // Its end may have been learnt otherwise.
            let _ = sender.send(());
        }
    }
}
