"""The incident graph, top to bottom."""

from graphs.flow import Builder, Flow
from graphs.incident.looking import look
from graphs.incident.steps import (
    act,
    call_next,
    follow_up,
    grade,
    join_after_all,
    open_or_join,
    owe_next,
)
from nodes.ask import ask
from nodes.retrieve import retrieve


def build() -> Builder:
    """The uncompiled graph; whoever runs it compiles it with a checkpointer."""
    flow = Flow()

    # An alert opens an incident, or joins the one that is open. No model is needed for that.
    flow.step("retrieve", retrieve, {"ready": "look", "rejected": "rejected"})
    flow.step("look", look(open_or_join), {"new": "judge_open", "duplicate": "judge_join"})
    flow.deed("open", "incidents.open", gate_=None, refused="reconsider", then="escalate")
    flow.step(
        "reconsider",
        look(join_after_all),
        {"duplicate": "judge_join", "blocked": "blocked"},
        otherwise="rejected",
    )
    flow.deed("join", "incidents.join", gate_=None, then="closed")

    # Call whom the escalation policy names, one after the other; nor for that.
    flow.step(
        "escalate", look(call_next), {"ready": "judge_page", "done": "read_logs", "escalated": "escalated"}
    )
    flow.deed("page", "incidents.page", gate_=None, refused="escalated", then="escalate")

    # What does it come from? One agent reads the log, which anybody can write into; the other weighs.
    flow.step(
        "read_logs", ask("log_reader"), {"ready": "analyse", "blocked": "blocked"}, otherwise="uncertain"
    )
    flow.step(
        "analyse", ask("incident_analyst"), {"ready": "grade", "blocked": "blocked"}, otherwise="uncertain"
    )
    flow.step(
        "grade",
        look(grade),
        {"ready": "judge_set_severity", "same": "act", "uncertain": "uncertain"},
        again="analyse",
    )
    flow.deed("set_severity", "incidents.grade", refused="act", declined="act", then="act")

    # What would help, in production: only with signatures. What people decline is not done; the rest goes on.
    acting = {
        "restart": "judge_restart",
        "rollback": "judge_roll_back",
        "none": "owe",
        "uncertain": "uncertain",
    }
    flow.step("act", look(act), acting, again="analyse")
    flow.deed("restart", "services.restart", refused="owe", declined="owe", then="owe")
    flow.deed("roll_back", "deployments.rollback", refused="owe", declined="owe", then="owe")

    # Write down what is owed, and follow it until all is done.
    flow.step("owe", look(owe_next), {"ready": "judge_task", "done": "follow_up"})
    flow.deed("task", "tasks.create", gate_=None, refused="escalated", then="owe")
    ahead = {"ready": "judge_resolve", "waiting": "waiting_info", "escalated": "escalated"}
    flow.step("follow_up", look(follow_up), ahead)
    flow.deed("resolve", "incidents.resolve", gate_=None, refused="escalated", then="closed")

    return flow.built()
