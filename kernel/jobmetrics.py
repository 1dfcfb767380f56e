"""What a job runner reports about itself and its queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kernel.jobs import Job, JobDone, JobFailed, JobOutcome
from kernel.metrics import Metrics

# Jobs take from a row update to the composition of a recording.
JOB_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0)


class JobMetrics:
    def __init__(self, metrics: Metrics, kinds: Sequence[str], *, running: Callable[[], int]) -> None:
        claimed = metrics.counter("jobs_claimed_total", "Jobs taken from the queue", ("kind",))
        seconds = metrics.histogram("jobs_seconds", "How long attempts ran", ("kind",), buckets=JOB_BUCKETS)
        self._claimed = {kind: claimed.labels(kind) for kind in kinds}
        self._seconds = {kind: seconds.labels(kind) for kind in kinds}
        self._outcomes = metrics.counter(
            "jobs_outcomes_total",
            "How attempts ended: done, retried, dead, postponed, lost (their claim was another node's by then)",
            ("kind", "outcome"),
        )
        self._depth = metrics.gauge("jobs_depth", "Jobs in the queue, by state", ("state",))
        self._age = metrics.gauge("jobs_oldest_due_seconds", "How long the oldest due job has waited")
        self._store_errors = metrics.counter(
            "jobs_store_errors_total", "Calls of the runner to its store that failed", ("operation",)
        )
        metrics.gauge("jobs_running", "Jobs running on this node").set_function(lambda: float(running()))

    def claimed(self, job: Job) -> None:
        self._claimed[job.kind].inc()

    def attempted(self, job: Job, seconds: float) -> None:
        self._seconds[job.kind].observe(seconds)

    def settled(self, outcome: JobOutcome, *, held: bool) -> None:
        self._outcomes.labels(outcome.job.kind, _name(outcome) if held else "lost").inc()

    def lost(self, job: Job) -> None:
        self._outcomes.labels(job.kind, "lost").inc()

    def depth(self, counts: Mapping[str, int], *, age: float) -> None:
        for state, count in counts.items():
            self._depth.labels(state).set(count)
        self._age.set(age)

    def store_failed(self, operation: str) -> None:
        self._store_errors.labels(operation).inc()


def _name(outcome: JobOutcome) -> str:
    match outcome:
        case JobDone():
            return "done"
        case JobFailed(retry_at=None):
            return "dead"
        case JobFailed():
            return "retried"
        case _:
            return "postponed"
