"""What guards the record, and what is personal in it."""

from tests.mutations.mutation import API, BITES, CHECKS, GRAPHS, NODES, STORIES, Mutation, controls

PRUNING = (f"{STORIES}/test_pruning.py",)

CONTROLS: list[Mutation] = [
    *controls(
        "record",
        "checkpoints/session.py",
        (
            "a line whose unit failed is not given back",
            "                    self.connection.prepare_threshold = NEVER_PREPARE\n",
            "                    pass\n",
            (f"{CHECKS}/test_saver_atomicity.py",),
        ),
        (
            "what led to a deed is stored before it",
            "await self.catch_up()\n        taken: dict[str, Opening] = {}\n        async with self._piped()",
            "taken: dict[str, Opening] = {}\n        async with self._piped()",
            (f"{STORIES}/test_stored_together.py",),
        ),
        (
            "what the database refuses does not stand in the way of the rest",
            "                self._stored(sent, {})\n",
            "",
            (f"{CHECKS}/test_saver_atomicity.py",),
        ),
    ),
    *controls(
        "record",
        "checkpoints/usage.py",
        (
            "what led to an agent is stored before it is asked",
            "        await self.session.catch_up()\n        what = _values",
            "        what = _values",
            (f"{STORIES}/test_stored_together.py",),
        ),
    ),
    *controls(
        "record",
        "checkpoints/effects.py",
        (
            "what led back to a deed is stored before it is tried again",
            "        await self.session.catch_up()\n        async with self.session.turn",
            "        async with self.session.turn",
            (f"{STORIES}/test_stored_together.py",),
        ),
    ),
    *controls(
        "record",
        "checkpoints/saver.py",
        (
            "a checkpoint is put onto the thread's head alone",
            "await projection.checkpoint(unit, parent, checkpoint, new_versions)",
            "await projection.checkpoint(unit, None, checkpoint, new_versions)",
            (f"{CHECKS}/test_saver_fence.py", f"{CHECKS}/test_saver.py"),
        ),
    ),
    *controls(
        "record",
        "checkpoints/serializer.py",
        (
            "what a row names is not made",
            "if blocked:\n            raise ForeignCheckpoint",
            "if False:\n            raise ForeignCheckpoint",
            (f"{CHECKS}/test_serializer.py", f"{BITES}/test_crafted_rows.py"),
        ),
        (
            "a checkpoint holds JSON shapes alone",
            "        _require_json(obj)\n",
            "",
            (f"{CHECKS}/test_serializer.py", f"{BITES}/test_known_bites.py"),
        ),
    ),
    *controls(
        "personal data",
        "nodes/sealing.py",
        (
            "personal values are sealed",
            'return sealing.token(f"{place}.{name}", plain, keep=keep)',
            "return plain",
            (f"{BITES}/test_canaries.py",),
        ),
        (
            "secret values are kept nowhere",
            "case FieldClass.SECRET:\n            return MASK",
            "case FieldClass.SECRET:\n            return plain",
            (f"{NODES}/test_records.py",),
        ),
    ),
    *controls(
        "personal data",
        "nodes/records.py",
        (
            "an agent sees personal values masked unless its role lists them",
            "if mark.field_class is FieldClass.PERSONAL and path not in self.clear:",
            "if False:",
            (f"{NODES}/test_records.py", f"{BITES}/test_canaries.py"),
        ),
        (
            "nobody sees secrets",
            "if mark.field_class is FieldClass.SECRET:",
            "if False:",
            (f"{NODES}/test_records.py",),
        ),
    ),
    *controls(
        "personal data",
        "graphs/personal.py",
        (
            "only whose work a review is sees it in clear",
            "return await opened(tx, review.case_id, document, more) if clear else document",
            "return await opened(tx, review.case_id, document, more)",
            (f"{API}/test_personal.py",),
        ),
        (
            "only who may unmasks",
            "if self.may(case, principal, Verb.UNMASK):",
            "if True:",
            (f"{API}/test_personal.py",),
        ),
        (
            "only who may erases",
            "allowed = self.may(case, principal, Verb.ERASE)",
            "allowed = True",
            (f"{API}/test_personal.py",),
        ),
        (
            "what a case may still need is not erased",
            "if case.status not in ENDED:\n            raise",
            "if False:\n            raise",
            (f"{API}/test_personal.py",),
        ),
    ),
    *controls(
        "personal data",
        "checkpoints/sealing.py",
        (
            "tokens open in their own case alone",
            "WHERE case_id = ANY(%s) AND commitment = ANY(%s)",
            "WHERE %s::text[] IS NOT NULL AND commitment = ANY(%s)",
            (f"{CHECKS}/test_sealing.py",),
        ),
        (
            "an erased value stays erased",
            "ON CONFLICT (commitment) DO NOTHING",
            (
                "ON CONFLICT (commitment) DO UPDATE SET salt = excluded.salt, value = "
                "excluded.value, erased_at = NULL"
            ),
            (f"{CHECKS}/test_sealing.py",),
        ),
        (
            "with an erasure the case gets another key",
            "if erased:\n            await cursor.execute(_NEW_KEY, (key, case_id))",
            "if erased:\n            pass",
            (f"{CHECKS}/test_sealing.py",),
        ),
    ),
    *controls(
        "pruning",
        "checkpoints/pruning.py",
        (
            "only what has ended is pruned",
            """AND c.status IN ({", ".join(f"'{status}'" for status in ENDED)})""",
            """AND c.status <> 'not {ENDED[0]}'""",
            PRUNING,
        ),
        (
            "what people still look at is not pruned",
            "AND NOT EXISTS (SELECT 1 FROM reviews r WHERE r.case_id = c.id AND r.status = 'open')",
            "",
            PRUNING,
        ),
        (
            "what is still to be carried out is not pruned",
            "NOT EXISTS (SELECT 1 FROM commands o WHERE o.case_id = c.id AND o.done_at IS NULL)",
            "true",
            PRUNING,
        ),
        (
            "what was pruned is on the record",
            'for case in cases if found[case["id"]]))',
            "for case in cases if not case))",
            PRUNING,
        ),
    ),
    *controls(
        "what people see",
        "graphs/markup.py",
        (
            "no text becomes markup",
            "autoescape=True",
            "autoescape=False",
            (f"{GRAPHS}/test_views.py",),
        ),
        (
            "what is invisible is made visible",
            "if unicodedata.category(letter) in _INVISIBLE else letter",
            "if not letter else letter",
            (f"{GRAPHS}/test_views.py",),
        ),
    ),
    *controls(
        "record",
        "graphs/record/course.py",
        (
            "nothing on a case's record is told nowhere",
            "for event in events\n        if not event.kind.startswith(_TOLD_ELSEWHERE)",
            "for event in events[:1]\n        if not event.kind.startswith(_TOLD_ELSEWHERE)",
            (f"{STORIES}/test_course_on_record.py",),
        ),
    ),
    *controls(
        "personal data",
        "tools/sandbox/vendors/documents.py",
        (
            "what strangers call their files is personal",
            "file_name: Annotated[str, Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)]",
            "file_name: Annotated[str, Marked(trust=Trust.UNTRUSTED)]",
            (f"{BITES}/test_canaries_of_workflows.py",),
        ),
    ),
]
