"""The enrichment graph, top to bottom: one field after the other, first what rules write by themselves."""

from langgraph.graph import END

from graphs.enrichment.steps import close_early, look, next_field, note
from graphs.flow import Builder, Flow
from nodes.ask import ask
from nodes.execute import execute, settle
from nodes.gate import gate
from nodes.listed import listed
from nodes.retrieve import retrieve
from nodes.weigh import weigh

WRITES = ("crm.set_field",)


def build() -> Builder:
    """The uncompiled graph; whoever runs it compiles it with a checkpointer."""
    flow = Flow()

    # Is there anything to do? If not the case is over before an agent is asked.
    flow.step("retrieve", retrieve, {"ready": "look", "rejected": "rejected"})
    flow.step("look", look, {"due": "profile", "over": "nothing_due"}, again="retrieve")
    flow.step("nothing_due", close_early, END, again="retrieve")

    # Who is it, what does the news say, and what does that make it? Texts from outside stop at the first two.
    flow.step("profile", ask("profiler"), {"ready": "read_news", "blocked": "blocked"}, otherwise="uncertain")
    flow.step(
        "read_news", ask("news_reader"), {"ready": "segment", "blocked": "blocked"}, otherwise="uncertain"
    )
    flow.step(
        "segment", ask("segmenter"), {"ready": "next_field", "blocked": "blocked"}, otherwise="uncertain"
    )

    # Take the next field: first each is put to the rules alone, and what needs people is put off; then people
    # are asked, field by field. Where they say no, nothing of this kind goes by rule alone any more.
    after = {"first": "judge_alone", "again": "judge", "over": "closed", "uncertain": "uncertain"}
    flow.step("next_field", next_field, after)
    alone = {"allow": "write", "review": "note", "refuse": "note"}
    flow.step("judge_alone", listed(weigh, WRITES), alone, otherwise="escalated")
    asked = {"allow": "write", "review": "gate", "refuse": "note"}
    flow.step("judge", listed(weigh, WRITES), asked, otherwise="escalated")
    answers = {"approved": "write", "superseded": "judge", "rejected": "note", "expired": "note"}
    flow.step("gate", gate, answers, again="judge")

    # Write exactly that, unless somebody has set the field meanwhile; a write that was begun is looked up.
    written = {"done": "note", "changed": "judge", "failed": "failed", "unknown": "uncertain"}
    flow.step("write", listed(execute, WRITES), written | {"blocked": "note"}, again="settle")
    flow.step("settle", listed(settle, WRITES), written | {"blocked": "note"})

    # Each field's end is on the record; what ends no field ends the case.
    flow.step("note", note, {"noted": "next_field", "refuse": "rejected"}, again="settle")

    return flow.built()
