"""What people read of an exception: what happened, what was not done because of it, and what to do.

One entry for each reason code; a test finds the codes that the code can produce and looks for them here.
"""

from typing import NamedTuple

from checkpoints.cases import Status


class Words(NamedTuple):
    """What happened, what was not done, and what to do."""

    happened: str
    not_done: str
    to_do: str


_NOTHING = "Nothing was done."
_NOT_THIS = "The action was not done."
_DOUBT = "Nobody knows whether the action was done. It was not repeated."
_LATER = "Retry; if it stays so, resolve it by hand or cancel it."
_MENDED = "Retry once that is mended; else resolve it by hand or cancel it."
_BY_PEOPLE = "Decide it yourself: resolve it by hand, cancel it, or hand it over."
_LOOK = (
    "Look in that system whether it was done, then resolve it by hand and say so; a retry asks there again."
)

_AWAY = Words("A system that is needed does not answer, or refused.", _NOTHING, _LATER)
_MODEL = Words("The model gave no usable answer.", _NOTHING, _LATER)
_SIGNED = Words("What people signed cannot be used for this action.", _NOT_THIS, _BY_PEOPLE)
_STATE = Words(
    "The case's state is not as the steps before left it.", _NOT_THIS, "Have an engineer look; cancel it."
)
_SYSTEM = Words("The system refused the action.", _NOT_THIS, _MENDED)
_RULES = Words("The rules say no to this now.", _NOT_THIS, _BY_PEOPLE)

SAYS = {
    # A system, or what it answered.
    "source_": _AWAY,
    "find_": Words("The system does not say what became of the action.", _DOUBT, _LOOK),
    "tool_error": _AWAY,
    "tool_unavailable": _AWAY,
    "tool_refused": _SYSTEM,
    "record_not_found": Words("A record that is needed is not there.", _NOTHING, _MENDED),
    "unknown_tool": Words("A tool that is needed is not installed.", _NOTHING, _MENDED),
    "tool_not_admitted": Words(
        "A tool from outside is needed that nobody has admitted.",
        _NOTHING,
        "Have whoever may look at it and admit it (countersign tools), then retry.",
    ),
    "tool_changed": Words(
        "A tool from outside is no longer what was admitted.",
        _NOTHING,
        "Have whoever may look at the difference and admit it anew (countersign tools), then retry.",
    ),
    "tool_not_reached": _SYSTEM._replace(happened="The system could not be reached."),
    "no_capability": Words(
        "A tool was called past the gateway.", _NOTHING, "Have an engineer look; cancel it."
    ),
    "not_permitted": Words("The role that asked may not use this tool.", _NOT_THIS, _MENDED),
    "failed": _SYSTEM,
    "tool_version_changed": Words("The tool has changed since it was proposed.", _NOT_THIS, "Retry."),
    "arguments_erased": Words("Personal data that the action needs was erased.", _NOT_THIS, _BY_PEOPLE),
    "outcome_unknown": Words("The call to the system ended without an answer.", _DOUBT, _LOOK),
    "no_answer": Words("The system cannot say what became of the action.", _DOUBT, _LOOK),
    "connector_busy": _AWAY._replace(
        happened="A system that is needed had more calls under way than it is sent at once, for too long."
    ),
    "connector_rests": _AWAY._replace(
        happened="A system has failed too often in a row and is left alone for a while."
    ),
    # An agent or its model.
    "model_rests": _MODEL._replace(
        happened="The model has been away too often in a row and is left alone for a while."
    ),
    "model_timeout": _MODEL._replace(happened="The model did not answer in time."),
    "model_unavailable": _MODEL._replace(happened="The model is not available."),
    "model_answer_unfit": _MODEL._replace(happened="What the model answered does not fit."),
    "model_loops": _MODEL._replace(happened="The model asked again and again, and came to no answer."),
    "finding_unfit": _STATE,
    "not_a_refund": Words("The agent takes this for something else than a refund.", _NOTHING, _BY_PEOPLE),
    "low_confidence": Words("The agents are not sure enough.", _NOTHING, _BY_PEOPLE),
    # The rules.
    "no_rule_matches": Words("No rule says what to do in such a case.", _NOTHING, _BY_PEOPLE),
    "several_rows_match": Words("Several rules match, and say different things.", _NOTHING, _BY_PEOPLE),
    "facts_unfit": Words("A fact that the rules need is missing or makes no sense.", _NOTHING, _MENDED),
    "literal_arguments": Words("A value of the action comes from no record.", _NOTHING, _BY_PEOPLE),
    "words_not_listed": Words(
        "An argument is an agent's word where the workflow lets it be none.", _NOTHING, _BY_PEOPLE
    ),
    "tool_not_listed": Words("The step does not list the tool that is proposed.", _NOTHING, _BY_PEOPLE),
    "unproven_authority": Words(
        "Who, what, where or how much comes from no record, but from what somebody says.",
        _NOTHING,
        _BY_PEOPLE,
    ),
    "unresolved_reference": Words("The action refers to a record that is not there.", _NOTHING, _MENDED),
    "arguments_unfit": Words("A value of the action does not fit the tool.", _NOTHING, _BY_PEOPLE),
    "out_of_scope": Words("A record belongs to somebody else.", _NOTHING, _BY_PEOPLE),
    "rules_unfit": Words("The rule table of this case cannot be read any more.", _NOTHING, _MENDED),
    "fraud_signal": Words("There is a fraud signal on the customer or the order.", _NOTHING, _BY_PEOPLE),
    "closed_account": Words("The customer's account is closed.", _NOTHING, _BY_PEOPLE),
    "other_currency": Words("It is about another currency than the rules know.", _NOTHING, _BY_PEOPLE),
    "not_the_payments_currency": Words("Order and payment differ in their currency.", _NOTHING, _BY_PEOPLE),
    "no_payment": Words("There is no payment that could be refunded.", _NOTHING, _BY_PEOPLE),
    "several_payments": Words("There are several payments for one order.", _NOTHING, _BY_PEOPLE),
    "not_delivered": Words("The order has not been delivered.", _NOTHING, _BY_PEOPLE),
    "no_delivery_date": Words("Nobody knows when the order was delivered.", _NOTHING, _MENDED),
    "nothing_to_refund": _RULES._replace(happened="Nothing is left to refund."),
    "exceeds_refundable": _RULES._replace(happened="It is more than is left to refund."),
    "ticket_is_closed": _RULES._replace(happened="The ticket is closed."),
    "outside_window": _RULES._replace(happened="It is too late for a refund."),
    "value_from_elsewhere": Words(
        "The value is not what the agent found for this field.", _NOTHING, "Have an engineer look; cancel it."
    ),
    "account_not_active": _RULES._replace(happened="The account is closed, or merged into another."),
    "equal_value": _RULES._replace(happened="The field says so already."),
    "not_due": _RULES._replace(happened="Somebody has set the field lately."),
    "ticket_closed": _RULES._replace(happened="The ticket is closed."),
    # Incidents.
    "incident_already_open": _RULES._replace(happened="An incident of the service is open already."),
    "alert_is_noise": _RULES._replace(happened="The alert is noise: it is over, and nobody noticed."),
    "severity_not_by_rule": Words("The severity is not the one of the rules.", _NOTHING, _BY_PEOPLE),
    "severity_unchanged": _RULES._replace(happened="The incident is that severe already."),
    "incident_not_open": _RULES._replace(happened="The incident is not open, or another case's."),
    "alert_joined_before": _RULES._replace(happened="The alert belongs to an incident already."),
    "nobody_is_called": _RULES._replace(happened="The escalation policy calls nobody for this."),
    "nobody_on_call": Words(
        "Nobody is on call for the service.",
        "The incident is open, but nobody was called.",
        "Find somebody, say so in the service catalogue, then retry.",
    ),
    "urgency_not_by_rule": Words("It is not the way of calling of the rules.", _NOTHING, _BY_PEOPLE),
    "not_recommended": _RULES._replace(happened="Neither the analyst nor the records point to this."),
    "restart_loop": Words("Restarts have not helped in the last hour.", _NOTHING, _BY_PEOPLE),
    "deployment_not_live": _RULES._replace(happened="The deployment is not live, or has replaced nothing."),
    "another_deployment": Words("The analyst means another deployment.", _NOTHING, _BY_PEOPLE),
    "deployment_long_before": Words("The deployment was long before the alert.", _NOTHING, _BY_PEOPLE),
    "task_not_planned": _RULES._replace(happened="This follow-up does not follow from the records."),
    "followups_open": Words(
        "Follow-up tasks of the incident are open.",
        "The incident was not resolved.",
        "It goes on when the team says that they are done.",
    ),
    "followups_overdue": Words(
        "A follow-up task of the incident is overdue.",
        "The incident was not resolved.",
        "Have the team do it, or withdraw it; then retry. The case looks again every day.",
    ),
    "no_followups": Words("Nothing was learnt from the incident.", "It was not resolved.", _BY_PEOPLE),
    "alert_still_fires": Words(
        "The alert still fires.", "The incident was not resolved.", "It goes on when the alert is over."
    ),
    # Vendors.
    "not_applied": _RULES._replace(happened="The vendor has no open application."),
    "sanctions_hit": Words("The sanctions list names somebody like this vendor.", _NOTHING, _BY_PEOPLE),
    "screening_risk": Words("The screening of this vendor is found risky.", _NOTHING, _BY_PEOPLE),
    "dossier_incomplete": Words("Documents or details of the vendor are missing.", _NOTHING, _BY_PEOPLE),
    "dossier_doubtful": Words("Something in the vendor's documents is in doubt.", _NOTHING, _BY_PEOPLE),
    "span_unproven": Words("A value does not stand where the agent says it stands.", _NOTHING, _BY_PEOPLE),
    "extraction_unsure": Words("The agent is not sure what a document says.", _NOTHING, _BY_PEOPLE),
    "date_unreadable": Words("A date in a document cannot be read as one.", _NOTHING, _BY_PEOPLE),
    "documents_contradict": Words("Two documents say different things.", _NOTHING, _BY_PEOPLE),
    "strangers_paper": Words("A document speaks of somebody else than the vendor.", _NOTHING, _BY_PEOPLE),
    "documents_missing": Words(
        "The vendor was asked for what is missing.", _NOTHING, "Wait for the answer; retry once it is there."
    ),
    "vendor_silent": Words("The vendor did not answer in time.", _NOTHING, _BY_PEOPLE),
    "asked_too_often": Words(
        "The vendor was asked several times already.", "It was not asked again.", _BY_PEOPLE
    ),
    "nothing_to_ask": _RULES._replace(happened="There is nothing to ask the vendor for."),
    "already_endorsed": _RULES._replace(happened="The account is endorsed already."),
    "clearance_missing": Words("A department has not cleared these very documents.", _NOT_THIS, _BY_PEOPLE),
    "account_not_endorsed": Words("The account is not endorsed.", _NOT_THIS, _BY_PEOPLE),
    # The gateway.
    "proposal_of_another_case": _STATE,
    "turned_down_in_this_case": _RULES._replace(
        happened="People have turned such an action down in this case."
    ),
    "already_done_in_this_case": Words(
        "Such an action was done, or begun, in this case before.",
        "It was not done a second time.",
        _BY_PEOPLE,
    ),
    "grant_unusable": _SIGNED,
    "grant_missing": _SIGNED,
    "grant_used": _SIGNED._replace(happened="The signature has been used already."),
    "signed_something_else": _SIGNED._replace(happened="People signed something else than this."),
    "review_open": _SIGNED._replace(happened="People have not decided yet."),
    "review_rejected": _SIGNED._replace(happened="People said no."),
    "review_expired": _SIGNED._replace(happened="Nobody decided in time."),
    "review_superseded": _SIGNED._replace(happened="The review was withdrawn."),
    "grant_not_usable_yet": _SIGNED._replace(happened="What people decided can still be taken back."),
    "irreversible_needs_people": _RULES._replace(
        happened="The action cannot be taken back, and no person has signed it."
    ),
    "hand_over_": Words("The case of another workflow could not be opened.", _NOT_THIS, _BY_PEOPLE),
    "halted": Words(
        "Somebody has stopped this.", _NOT_THIS, "It goes on by itself when they let it (countersign halts)."
    ),
    # Limits.
    "limit_": Words("The case has used up what it may use.", _NOT_THIS, _BY_PEOPLE),
    "too_many_asks": Words(
        "People were asked too often, for this case or by this agent.",
        "Nobody was asked again.",
        "Decide it yourself: resolve it by hand, or cancel it.",
    ),
    # Taking back.
    "nothing_to_undo": _RULES._replace(happened="There is nothing that could be taken back."),
    "window_over": _RULES._replace(happened="It is too late to take this back."),
    "set_since": _RULES._replace(happened="Somebody has set it since."),
    "plan_stale": Words(
        "Something was done between the plan and the rollback.", "Nothing was taken back.", "Plan it anew."
    ),
    "nothing_to_roll_back": Words(
        "Nothing of this case can be taken back any more.",
        "Nothing was taken back.",
        "Settle it outside, then resolve it by hand.",
    ),
    "partly_rolled_back": Words(
        "Not everything could be taken back; the record says what was left and why.",
        "What is left was not taken back.",
        "Settle the rest outside, then resolve it by hand.",
    ),
    "rollback_failed": Words(
        "What should be taken back could not be; the record says why.",
        "Nothing was taken back.",
        "Ask for the rollback again, or settle it outside and resolve it by hand.",
    ),
    "facts_keep_moving": Words("The facts changed each time before it could be done.", _NOT_THIS, _LATER),
    # The machinery.
    "unexpected_error": Words(
        "Something in the software broke; the log says what.",
        "The step that broke was not finished; what it had begun is in the case's deeds.",
        "Have an engineer look, then retry: no deed is done twice.",
    ),
    "worker_crashes": Words(
        "Every worker that took this case died of it.",
        "The step was not finished; what it had begun is in the case's deeds.",
        "Have an engineer look, then retry: no deed is done twice.",
    ),
    "foreign_checkpoint": Words(
        "A checkpoint of this case holds what none of ours does: somebody may have written it.",
        "Nothing of it was carried out.",
        "Tell whoever looks after security, then cancel it.",
    ),
    "graph_lacks_step": Words(
        "The case waits in a step that the installed version of its workflow does not have.",
        "Nothing was done: the case stands where it stood.",
        "Deploy a version that has the step, then retry; or move it (countersign deploy check says how).",
    ),
    "stalled": Words(
        "The case did not move on.", "The next step was not done.", "Have an engineer look, then retry."
    ),
    "unspecified": Words("The case cannot go on.", "The next step was not done.", _BY_PEOPLE),
}
_BY_STATUS = {
    Status.BLOCKED: Words("Something stands in the way.", _NOT_THIS, _LATER),
    Status.UNCERTAIN: Words("It is not certain what is the case.", "No further action was done.", _LOOK),
    Status.FAILED: Words("An action failed.", _NOT_THIS, _LATER),
    Status.WAITING_INFO: Words(
        "The case waits for somebody outside.",
        "The next step was not done.",
        "It goes on when there is news.",
    ),
    Status.ESCALATED: Words("People have to look at this.", _NOTHING, _BY_PEOPLE),
}
_PREFIXES = ("source_", "find_", "limit_", "hand_over_")


def words_for(status: Status, reason: str, *, doubtful: bool = False) -> Words:
    """The words for an exception; those of its status for a reason that nobody has words for.

    Where a deed is in doubt that is what has to be said of it, whatever the reason is.
    """
    said = entry(reason) or _BY_STATUS[status]
    return said._replace(not_done=_DOUBT, to_do=_LOOK) if doubtful else said


def entry(reason: str) -> Words | None:
    """The entry of a reason code, which may name details after a colon, or begin as a family does."""
    code = reason.partition(":")[0]
    family = next((prefix for prefix in _PREFIXES if code.startswith(prefix)), code)
    if family == "source_" and (said := SAYS.get(code.removeprefix(family))) is not None:
        return said
    return SAYS.get(code) or SAYS.get(family)


def word_of(reason: str) -> str | None:
    """The code itself where it is one of ours, its family where only that is; None for any other text."""
    code = reason.partition(":")[0]
    if code in SAYS:
        return code
    return next((prefix.rstrip("_") for prefix in _PREFIXES if code.startswith(prefix)), None)
