//! A managed identity named by its path in the cloud's own tree.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::{
    Context, Request,
    policies::{Policy, PolicyResult},
};

/// Adds the identity's path to the request for a token. The SDK refuses such a path where an app is
/// hosted, though the platform takes it.
#[derive(Debug)]
pub(super) struct Resource(String);

impl Resource {
    pub(super) fn new(path: &str) -> Self {
        Self(path.to_owned())
    }
}

#[async_trait]
impl Policy for Resource {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        // Hosted apps take the one name, virtual machines the other, and each leaves the other be.
        request
            .url_mut()
            .query_pairs_mut()
            .append_pair("mi_res_id", &self.0)
            .append_pair("msi_res_id", &self.0);
        super::account::pass_on(context, request, next).await
    }
}
