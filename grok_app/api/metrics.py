"""The engine's counters for Prometheus. Names and meanings follow vLLM's, with `grok:` in front."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from grok_app.api.service import Service

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine
    from grok_app.engine.metrics import Histogram

FINISHED = ("stop", "length", "abort")


class EngineCollector(Collector):
    """Reads the engine at the moment Prometheus asks; tells nothing while the model loads."""

    def __init__(self, service: Service):
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        if engine := self._service.loaded:
            yield from _gauges(engine)
            yield from _counters(engine)
            metrics = engine.metrics
            for name, text, histogram in (
                ("time_to_first_token", "to the first token", metrics.time_to_first_token),
                ("inter_token_latency", "between two tokens", metrics.inter_token_latency),
            ):
                yield _histogram(engine, f"grok:{name}_seconds", f"Seconds {text}.", histogram)


def _gauges(engine: Engine) -> Iterator[Metric]:
    stats = engine.stats()
    for name, text, value in (
        ("num_requests_running", "Requests in slots.", stats.running),
        ("num_requests_waiting", "Requests in the line.", stats.waiting),
        ("num_slots", "Requests that can run at once.", engine.slots),
        (
            "kv_cache_usage_perc",
            "Part of the key/value cache in use, from 0 to 1.",
            stats.cached / (engine.slots * engine.context),
        ),
    ):
        gauge = GaugeMetricFamily(f"grok:{name}", text, labels=["model_name"])
        gauge.add_metric([engine.name], value)
        yield gauge


def _counters(engine: Engine) -> Iterator[Metric]:
    metrics = engine.metrics
    for name, text, value in (
        ("prompt_tokens", "Tokens of prompts read.", metrics.prompt_tokens),
        ("generation_tokens", "Tokens made.", metrics.generation_tokens),
        ("prefix_cache_queries", "Tokens of prompts looked up.", metrics.prompt_tokens),
        ("prefix_cache_hits", "Tokens of prompts that were in the cache.", metrics.cached_tokens),
    ):
        counter = CounterMetricFamily(f"grok:{name}", text, labels=["model_name"])
        counter.add_metric([engine.name], value)
        yield counter
    finished = CounterMetricFamily(
        "grok:request_success",
        "Requests that have left, by why; abort is their caller's.",
        labels=["model_name", "finished_reason"],
    )
    for reason in FINISHED:
        finished.add_metric([engine.name, reason], metrics.finished[reason])
    yield finished


def _histogram(engine: Engine, name: str, text: str, histogram: Histogram) -> Metric:
    counts = list(accumulate(histogram.counts))  # Prometheus counts all that lies below a bound
    bounds = [*(f"{bound:g}" for bound in histogram.bounds), "+Inf"]
    family = HistogramMetricFamily(name, text, labels=["model_name"])
    family.add_metric(
        [engine.name], list(zip(bounds, counts, strict=True)), sum_value=histogram.total
    )
    return family
