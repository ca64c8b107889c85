//! The tower `Layer`: remembers what all its services share.

use std::sync::Arc;

use tower::Layer;

use super::{FlashbackService, carrier::Carrier};

/// Puts crowd insurance around a service. Made by [`Flashback::layer`](crate::Flashback::layer); see the
/// [module docs](super).
#[derive(Clone, Debug)]
pub struct FlashbackLayer {
    carrier: Arc<Carrier>,
}

impl FlashbackLayer {
    pub(crate) fn new(carrier: Arc<Carrier>) -> Self {
        Self { carrier }
    }
}

impl<S> Layer<S> for FlashbackLayer {
    type Service = FlashbackService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FlashbackService::new(inner, Arc::clone(&self.carrier))
    }
}
