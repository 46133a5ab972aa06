"""What guards against too much, and the switch that stops everything."""

from tests.mutations.mutation import API, CHECKS, NODES, STORIES, Mutation, controls

LIMITS = (f"{STORIES}/test_limits.py",)
SWITCH = (f"{STORIES}/test_stop_switch.py",)
ROOM = (f"{API}/test_waiting_room.py",)

CONTROLS: list[Mutation] = [
    *controls(
        "limits",
        "checkpoints/seats.py",
        (
            "a workflow has as many seats as it has",
            "for number in range(seats or 0):",
            "for number in range((seats or 0) + 1):",
            (f"{CHECKS}/test_seats.py",),
        ),
    ),
    *controls(
        "limits",
        "nodes/limits.py",
        (
            "tokens are limited",
            'over_caps("limit_tokens", spent[Kind.TOKENS], tokens, 1)',
            "None",
            LIMITS,
        ),
        (
            "calls of a model are limited",
            'over_caps("limit_model_calls", spent[Kind.MODEL_CALLS], calls, 1)',
            "None",
            LIMITS,
        ),
        (
            "people are not asked for ever",
            'if (over := over_caps("too_many_asks", asked, caps, 1)) is not None:',
            "if (over := None) is not None:",
            LIMITS,
        ),
        (
            "steps, time and retries are limited",
            "            if count > most:",
            "            if False:",
            LIMITS,
        ),
        (
            "money in a currency that no limit names is not moved",
            "limit.amount_minor if limit.currency == currency else 0",
            "limit.amount_minor",
            LIMITS,
        ),
        (
            "between two calls of its model an agent can be stopped",
            "if halts := await self.halted(agent=agent):",
            "if halts := []:",
            LIMITS,
        ),
    ),
    *controls(
        "limits",
        "checkpoints/effects.py",
        (
            "no intent passes a halt",
            "            await require_none(halts)\n",
            "",
            SWITCH,
        ),
    ),
    *controls(
        "limits",
        "checkpoints/halts.py",
        (
            "whoever presses waits for the intents of before",
            "        await cursor.execute(_ALONE)\n",
            "",
            SWITCH,
        ),
        (
            "a halt of a connector is about its tools",
            "    OR (h.scope = 'connector' AND h.target = split_part({tool}, '.', 1)))",
            "    )",
            SWITCH,
        ),
    ),
    *controls(
        "limits",
        "nodes/halts.py",
        (
            "no wake-up talks a halted step into going on",
            "while halts := await runtime.context.brakes.halted(agent=agent, tool=tool):",
            "if halts := await runtime.context.brakes.halted(agent=agent, tool=tool):",
            (f"{NODES}/test_standing_still.py",),
        ),
    ),
    *controls(
        "limits",
        "api/rates.py",
        ("nobody calls without end", "if left < 1:", "if False:", (f"{API}/test_rates.py",)),
    ),
    *controls(
        "limits",
        "tools/breakers.py",
        (
            "a connector that keeps failing is left alone",
            "return until is not None and until > self._clock()",
            "return False",
            ("tests/tools/test_breakers.py", f"{NODES}/test_gateway_connectors.py"),
        ),
    ),
    *controls(
        "limits",
        "graphs/waiting_room.py",
        (
            "no more new cases wait than there is room for",
            "if self._waiting.total() >= self.room.most or self._waiting[workflow] >= self.room.most_of_one:",
            "if self._waiting[workflow] >= self.room.most_of_one:",
            ROOM,
        ),
        (
            "one workflow does not take all the room",
            "if self._waiting.total() >= self.room.most or self._waiting[workflow] >= self.room.most_of_one:",
            "if self._waiting.total() >= self.room.most:",
            ROOM,
        ),
        (
            "who waits is counted over all processes",
            "self._waiting = Counter(await waiting_to_begin(tx))",
            "pass",
            ROOM,
        ),
    ),
    *controls(
        "limits",
        "checkpoints/queue.py",
        (
            "what is decided goes before what is new",
            "priority=0 if command.kind is CommandKind.START else AHEAD,",
            "priority=0,",
            ROOM,
        ),
    ),
    *controls(
        "limits",
        "graphs/intake.py",
        (
            "what a case opens is not turned away",
            "if not event.source.startswith(WITHIN):",
            "if True:",
            ROOM,
        ),
    ),
    *controls(
        "limits",
        "tools/registry.py",
        (
            "a connector has so many lines",
            "                await lines.acquire()",
            "                lines._value -= 1",
            ("tests/tools/test_lines.py",),
        ),
    ),
    *controls(
        "limits",
        "checkpoints/commands.py",
        (
            "crashes are counted from where the case last came further",
            "IS NOT DISTINCT FROM c.head",
            "IS NOT DISTINCT FROM o.crashed_head",
            ("tests/engine/test_reaper.py",),
        ),
        (
            "a step that kills its workers is found",
            "THEN o.crashes_of_head + 1",
            "THEN o.crashes_of_head",
            ("tests/engine/test_reaper.py",),
        ),
    ),
]
