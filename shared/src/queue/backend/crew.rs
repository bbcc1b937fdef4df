use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// What the workers of one process share to stop together: asked to, at the drain deadline, or because one of them ended
/// although nobody asked it to, which must end the process (ARCHITECTURE.md, invariant 14).
#[derive(Debug, Clone)]
pub struct Crew {
    halt: CancellationToken,
    cut: CancellationToken,
    deserter: Arc<OnceLock<String>>,
}

impl Crew {
    /// A crew that stops when `stop` is cancelled.
    pub fn new(stop: &CancellationToken) -> Self {
        Self {
            halt: stop.child_token(),
            cut: CancellationToken::new(),
            deserter: Arc::default(),
        }
    }

    /// Cancelled when no more bells may be fetched.
    pub fn halted(&self) -> &CancellationToken {
        &self.halt
    }

    /// Cancelled at the drain deadline: whatever still runs is dropped.
    pub fn cut(&self) -> &CancellationToken {
        &self.cut
    }

    /// The worker that ended unasked, if one did.
    pub fn deserter(&self) -> Option<&str> {
        self.deserter.get().map(String::as_str)
    }

    /// Runs a part of the worker `name`; its end counts as the worker's, also by panic.
    pub(super) fn watch<F: Future<Output = ()>>(
        &self,
        name: &str,
        part: F,
    ) -> impl Future<Output = ()> + use<F> {
        let watch = Watch {
            crew: self.clone(),
            name: name.to_owned(),
        };
        async move {
            let _watch = watch;
            part.await;
        }
    }

    /// Told by every worker at its end. Unasked, it stops all others.
    pub(super) fn ended(&self, name: &str) {
        if !self.halt.is_cancelled() {
            // Two may end at the same moment; the first one is named.
            self.deserter.get_or_init(|| name.to_owned());
            self.halt.cancel();
        }
    }
}

struct Watch {
    crew: Crew,
    name: String,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.crew.ended(&self.name);
    }
}
