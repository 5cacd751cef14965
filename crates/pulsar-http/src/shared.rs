//! What a connection's task, socket and requests share.

use std::sync::Arc;
use std::task::Wake;

use crate::activity::Activity;
use crate::server::Server;

/// What a connection's task, socket and requests share. As a waker it is that of its [`Bell`](crate::bell::Bell).
pub(crate) struct Shared {
    pub(crate) activity: Activity,
    pub(crate) server: Arc<Server>,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.activity.mark();
    }
}
