"""The exposition: what stands where and what this process has done, as Prometheus reads it."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from checkpoints.cases import Status
from checkpoints.effects import EffectState
from checkpoints.errors import DatabaseAway
from checkpoints.gauges import Reading, read_gauges
from checkpoints.outbox import DeliveryState
from checkpoints.worker import USUAL_PACE
from graphs.meter import OTHER, Known, label
from graphs.reason_words import word_of
from graphs.wiring import Parts

GOOD_FOR = timedelta(seconds=5)
"""How long one look at the database serves whoever asks, so that nobody can keep it busy by asking."""

_STATUSES = frozenset(status.value for status in Status)


class _Gauge(NamedTuple):
    """A gauge: what it says, which labels it has, and which of their values are there also when nought."""

    says: str
    labels: tuple[str, ...] = ()
    always: tuple[str, ...] = ()


_GAUGES = {
    "cases": _Gauge("Cases that have not ended.", ("workflow", "status")),
    "reviews_open": _Gauge("Reviews that wait for people.", ("workflow",)),
    "reviews_overdue": _Gauge("Open reviews that are past their due time.", ("workflow",)),
    "exceptions": _Gauge("Cases that stand still, by reason code.", ("reason",)),
    "effects": _Gauge("Deeds of cases that have not ended.", ("state",), tuple(EffectState)),
    "effects_unknown": _Gauge("Deeds of which nobody knows yet whether they were done."),
    "commands_waiting": _Gauge("Commands that are due and not carried out."),
    "command_oldest_seconds": _Gauge("For how long the oldest of them has been due."),
    "workers_alive": _Gauge("Workers with a recent heartbeat."),
    "audit_pending": _Gauge("Events that are not in the audit log's tree yet."),
    "audit_lag_seconds": _Gauge("The age of the oldest of them."),
    "notices": _Gauge(
        "Notices not delivered.", ("state",), (DeliveryState.PENDING.value, DeliveryState.DEAD.value)
    ),
}


@dataclass(slots=True)
class Exposition:
    """What `/metrics` answers; one look at the database at a time, and none more often than `GOOD_FOR`."""

    parts: Parts
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    read_at: datetime | None = None
    readings: list[Reading] | None = None

    async def text(self) -> bytes:
        """Prometheus's text format; without a database that answers, what the process knows by itself."""
        async with self.turn:
            now = self.parts.clock()
            if self.read_at is None or not self.read_at <= now < self.read_at + GOOD_FOR:
                self.readings, self.read_at = await self._look(now), now
            readings = self.readings
        from_rows = CollectorRegistry()
        from_rows.register(_Rows(readings, self.parts.meter.known))
        return generate_latest(from_rows) + generate_latest(self.parts.meter.registry)

    async def _look(self, now: datetime) -> list[Reading] | None:
        try:
            return await read_gauges(self.parts.database, now, USUAL_PACE.dead_after)
        except DatabaseAway:
            return None


class _Rows(Collector):
    """Readings as metric families."""

    def __init__(self, readings: list[Reading] | None, known: Known) -> None:
        self._readings, self._known = readings, known

    def collect(self) -> Iterator[Metric]:
        """Whether the database answers, and each gauge if it does."""
        up = float(self._readings is not None)
        yield GaugeMetricFamily(
            "countersign_database_up", "Whether the database has answered just now.", value=up
        )
        if self._readings is not None:
            for name, gauge in _GAUGES.items():
                yield _family(name, gauge, self._summed(name, gauge))

    def _summed(self, name: str, gauge: _Gauge) -> dict[tuple[str, ...], float]:
        """The gauge's values by its labels; what is not among the known words is added up as `other`."""
        readings = self._readings or []
        if name == "effects_unknown":
            return {(): sum(one.value for one in readings if (one.name, one.one) == ("effects", "unknown"))}
        values: dict[tuple[str, ...], float] = dict.fromkeys(((word,) for word in gauge.always), 0.0)
        if not gauge.labels:
            values[()] = 0.0
        for one in readings:
            if one.name == name:
                words = self._words(gauge.labels, (one.one, one.other))
                values[words] = values.get(words, 0.0) + one.value
        return values

    def _words(self, labels: Iterable[str], found: Iterable[str | None]) -> tuple[str, ...]:
        return tuple(self._word(name, word) for name, word in zip(labels, found, strict=False))

    def _word(self, name: str, word: str | None) -> str:
        """The word if it may be a label of this name."""
        match name:
            case "workflow":
                return label(word, self._known.workflows)
            case "reason":
                return word_of(word or "") or OTHER
            case "status":
                return label(word, _STATUSES)
            case _:
                return label(word, frozenset(EffectState) | frozenset(DeliveryState))


def _family(name: str, gauge: _Gauge, values: dict[tuple[str, ...], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"countersign_{name}", gauge.says, labels=gauge.labels)
    for words, value in sorted(values.items()):
        family.add_metric(words, value)
    return family
