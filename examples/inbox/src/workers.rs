use core::time::Duration;

use sqlx::Error;
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tracing::{error, info, warn};

use crate::{
    inbox::{Inbox, Job},
    retries::Retries,
    task_api::TaskApi,
};

/// Fetch results in the background, one job at a time each, until they are stopped.
#[derive(Debug)]
pub(crate) struct Workers {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

const WORKERS: usize = 4;

/// How long a worker that has nothing to do waits before it looks again: for jobs that become due,
/// and for those of other processes.
const IDLE: Duration = Duration::from_secs(1);

impl Workers {
    pub(crate) fn start(inbox: &Inbox, api: &TaskApi, retries: Retries) -> Self {
        let (stop, stopping) = watch::channel(false);
        let worker = Worker {
            inbox: inbox.clone(),
            api: api.clone(),
            retries,
            stopping,
        };
        let tasks = (0..WORKERS).map(|_| worker.clone().work()).collect();
        Self { tasks, stop }
    }

    /// Lets each of them end the job that it has.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.tasks.join_all().await;
    }
}

#[derive(Clone)]
struct Worker {
    inbox: Inbox,
    api: TaskApi,
    retries: Retries,
    stopping: watch::Receiver<bool>,
}

impl Worker {
    async fn work(mut self) {
        // Ends after the fetch of a worker that is alive, and time enough to store the result.
        let lease = self.api.timeout() * 2;
        while !*self.stopping.borrow() {
            let kept = match self.inbox.take(lease).await {
                Ok(Some(job)) => self.fetch(job).await,
                Ok(None) => {
                    self.idle().await;
                    Ok(())
                }
                Err(error) => Err(error),
            };
            if let Err(error) = kept {
                // A job that was taken is due again when its lease has ended.
                error!(%error, "the database");
                self.idle().await;
            }
        }
    }

    async fn idle(&mut self) {
        tokio::select! {
            _ = timeout(IDLE, self.inbox.added()) => {}
            _ = self.stopping.changed() => {}
        }
    }

    async fn fetch(&self, job: Job) -> Result<(), Error> {
        let process_id = job.task.process_id;
        let origin = self.api.origin();
        let url = job.task.result_url(origin).unwrap_or_else(|error| {
            warn!(process_id, "{error}: it is built from the process id");
            origin.result_url(process_id)
        });
        match self.api.result(&url).await {
            Ok(result) => {
                info!(process_id, "the result is there");
                self.inbox.store(&job, result).await
            }
            Err(error) => match self.retries.pause_after(job.attempt()) {
                Some(pause) => {
                    warn!(process_id, attempt = job.attempt(), %error);
                    self.inbox.postpone(&job, error.to_string(), pause).await
                }
                None => {
                    error!(process_id, attempt = job.attempt(), %error, "given up");
                    self.inbox.give_up(&job, error.to_string()).await
                }
            },
        }
    }
}
