use scrupp_verify_tower::events::Status;
use tokio::time::sleep;

use crate::{retries::Retries, task_api::TaskApi};

/// Asks for the status of a task until it has ended, and then for its result.
pub(crate) async fn poll(
    api: &TaskApi,
    retries: Retries,
    process_id: u64,
) -> Result<String, String> {
    loop {
        let (status, error) = retries
            .run(async || api.status(process_id).await)
            .await
            .map_err(|error| error.to_string())?;
        match status {
            Status::Completed => break,
            Status::Failed => return Err(error.unwrap_or_else(|| "failed".to_owned())),
            _ => sleep(retries.first_pause).await,
        }
    }
    let url = api.origin().result_url(process_id);
    let result = retries.run(async || api.result(&url).await).await;
    result.map_err(|error| error.to_string())
}
