"""What the service counts, in the format of Prometheus."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call]

Gauges = Mapping[str, float]


class Metrics:
    """Counters of one service. Values that are there to be read are read when they are asked for."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._uploaded = self._counter("uploads_bytes", "Bytes of accepted uploads.")
        self._accepted = self._counter("jobs_accepted", "Uploads that became a job.")
        self._ended = self._counter("jobs_ended", "Jobs that came to an end: done, or the code of the failure.", "how")
        self._rejected = self._counter("rejected", "Requests that were refused, by the code of the answer.", "reason")
        self._stage_s = self._counter("stage_seconds", "Seconds of work, by stage of detection.", "stage")
        self._replaced = self._counter("worker_restarts", "Workers that had to be replaced, and why.", "reason")

    def accepted(self, size_bytes: int) -> None:
        """An upload became a job."""
        self._accepted.inc()
        self._uploaded.inc(size_bytes)

    def rejected(self, code: str) -> None:
        """A request was refused."""
        self._rejected.labels(code).inc()

    def ended(self, how: str) -> None:
        """A job is done, or failed with this code."""
        self._ended.labels(how).inc()

    def took(self, seconds: Mapping[str, float]) -> None:
        """A job took so long in each stage; `elapsed` beside them, as stages overlap."""
        for stage, value in seconds.items():
            self._stage_s.labels(stage).inc(max(0.0, value))

    def replaced(self, reason: str) -> None:
        """A worker had to be replaced."""
        self._replaced.labels(reason).inc()

    def read(self, gauges: Callable[[], Gauges], states: Callable[[], Gauges]) -> None:
        """Say where values of the moment are read: single ones by name, and jobs by state."""
        self._registry.register(_Moment(gauges, states))

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"hashformer_{name}", text, labels, registry=self._registry)


class _Moment(Collector):
    def __init__(self, gauges: Callable[[], Gauges], states: Callable[[], Gauges]) -> None:
        self._gauges, self._states = gauges, states

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("hashformer_jobs", "Jobs by state.", labels=["state"])
        for state, value in self._states().items():
            jobs.add_metric([state], value)
        yield jobs
        for name, value in self._gauges().items():
            yield GaugeMetricFamily(f"hashformer_{name}", name.replace("_", " "), value=value)
