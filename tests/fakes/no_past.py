"""A judge of a case in which nothing has been said, decided or done yet."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from checkpoints.effects import EffectRow
from checkpoints.reviews import Decision
from nodes.judge import Judge
from nodes.reader import Reader
from nodes.shapes import Json


def judge_without_past(reader: Reader) -> Judge:
    return Judge(reader=reader, deeds=_no_deeds, effect=_no_effect, found=_no_findings, decided=_no_decision)


async def _no_deeds(_proposer: str, _tool: str, _since: datetime) -> Sequence[EffectRow]:
    return ()


async def _no_effect(_key: str) -> EffectRow | None:
    return None


async def _no_findings(_case_id: str) -> Mapping[str, Json]:
    return {}


async def _no_decision(_review_id: str) -> Decision | None:
    return None
