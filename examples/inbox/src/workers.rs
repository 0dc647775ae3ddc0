use core::time::Duration;

use scrupp_verify_tower::events::TaskCompleted;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::timeout,
};
use tracing::{error, info, warn};

use crate::{
    errors::with_causes,
    inbox::{Error, Inbox, Job},
    retries::Retries,
    task_api::TaskApi,
};

/// Background workers that fetch results. Each worker processes one job at a time.
#[derive(Debug)]
pub(crate) struct Workers {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

const WORKERS: usize = 4;

/// Time after which an idle worker checks again for jobs that are due, and for jobs of other processes.
const IDLE: Duration = Duration::from_secs(1);

impl Workers {
    /// Starts the workers on the current Tokio runtime.
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

    /// Waits until all workers have ended, or one has panicked.
    pub(crate) async fn ended(&mut self) -> Result<(), JoinError> {
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// Stops the workers after their current jobs.
    pub(crate) async fn stop(mut self) -> Result<(), JoinError> {
        self.stop.send_replace(true);
        self.ended().await
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
        // Longer than a fetch, so a worker has time to store the result.
        let lease = self.api.timeout().saturating_mul(2);
        while !*self.stopping.borrow() {
            let done = match self.inbox.take(lease, self.retries.max_attempts).await {
                Ok(Some(job)) => self.process(job).await,
                Ok(None) => {
                    self.idle().await;
                    Ok(())
                }
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                // A job that was taken is due again when its lease expires.
                error!(error = with_causes(&*error), "database");
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

    async fn process(&self, job: Job) -> Result<(), Error> {
        let delivery_id = &job.delivery_id;
        if job.is_given_up {
            error!(
                delivery_id,
                attempts = job.attempt(),
                "given up: too many attempts"
            );
            return Ok(());
        }
        match &job.task {
            Ok(task) => self.fetch(&job, task).await,
            Err(error) => {
                error!(delivery_id, error, "given up: the row is unreadable");
                self.inbox.give_up(&job, error.clone()).await
            }
        }
    }

    async fn fetch(&self, job: &Job, task: &TaskCompleted) -> Result<(), Error> {
        let process_id = task.process_id;
        let origin = self.api.origin();
        let url = task.result_url(origin).unwrap_or_else(|error| {
            warn!(process_id, "{error}: the URL is built from the process id");
            origin.result_url(process_id)
        });
        let error = match self.api.result(&url).await {
            Ok(result) => {
                info!(process_id, "result fetched");
                return self.inbox.store(job, result).await;
            }
            Err(error) => error,
        };
        match self.retries.pause_after(job.attempt(), &error) {
            Some(pause) => {
                warn!(process_id, attempt = job.attempt(), %error, ?pause, "postponed");
                self.inbox.postpone(job, error.to_string(), pause).await
            }
            None => {
                error!(process_id, attempt = job.attempt(), %error, "given up");
                self.inbox.give_up(job, error.to_string()).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::future::pending;

    use super::*;

    #[tokio::test]
    async fn ended_returns_the_panic_of_one_worker() {
        let mut tasks = JoinSet::new();
        tasks.spawn(pending());
        tasks.spawn(async { panic!("worker panicked") });
        let mut workers = Workers {
            tasks,
            stop: watch::channel(false).0,
        };
        let error = workers.ended().await.unwrap_err();
        assert!(error.to_string().contains("worker panicked"), "{error}");
    }
}
