"""Samples as Prometheus reads them, by its own client library; and what the process says of itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from holdfast import __version__
from holdfast.model.metrics import API_LATENCY, Metric, Sample

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)


def exposed(metrics: Iterable[Metric], samples: Iterable[Sample], also: CollectorRegistry | None = None) -> bytes:
    """The text that a scrape is answered with. `also`: metrics that count up by themselves. A sample of no metric raises `KeyError`."""
    registry = CollectorRegistry()
    registry.register(_Samples(metrics, samples))
    return generate_latest(registry) + (generate_latest(also) if also is not None else b"")


def of_process() -> Iterator[Sample]:
    """Of this process, without others that it started."""
    yield Sample("holdfast_build_info", (__version__,), 1)
    times = os.times()
    yield Sample("holdfast_process_cpu_seconds_total", (), times.user + times.system)
    if (pss := _pss_bytes()) is not None:
        yield Sample("holdfast_process_pss_bytes", (), pss)


class Latency:
    """How long the API takes, by the name of a call and the class of its status: both are closed lists."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        text = "Seconds until a call of the API began to be answered."
        self._histogram = Histogram(API_LATENCY, text, ("activity", "status"), buckets=_BUCKETS, registry=self.registry)

    def took(self, activity: str, status: int, seconds: float) -> None:
        self._histogram.labels(activity, f"{status // 100}xx").observe(seconds)


class _Samples(Collector):
    def __init__(self, metrics: Iterable[Metric], samples: Iterable[Sample]) -> None:
        self._metrics = {metric.name: metric for metric in metrics}
        self._samples = samples

    def describe(self) -> Iterable[Family]:
        """Nothing beforehand: samples are gone through once."""
        return ()

    def collect(self) -> Iterable[Family]:
        families: dict[str, Family] = {}
        for sample in self._samples:
            metric = self._metrics[sample.name]
            family = families.get(sample.name)
            if family is None:
                kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                family = families[sample.name] = kind(metric.name, metric.text, labels=metric.labels)
            family.add_metric([_label(value) for value in sample.labels], sample.value)  # type: ignore[attr-defined]
        return families.values()


def _label(value: str) -> str:
    """A name that is no Unicode text (a lone surrogate) has no UTF-8 form."""
    return value.encode(errors="replace").decode()


def _pss_bytes() -> int | None:
    try:
        with open("/proc/self/smaps_rollup", encoding="ascii") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:")), None)
    except OSError:
        # Not every kernel has it.
        return None
