"""What the shipped workflows take from records, so that no model can be talked into it or out of it."""

from tests.mutations.mutation import GRAPHS, STORIES, Mutation, controls

_SOURCES = (f"{GRAPHS}/test_enrichment_sources.py",)
_INJECTED = f"{STORIES}/test_incident_injection.py"
_INCIDENT = (f"{GRAPHS}/test_incident_rules.py",)
_ANSWERS = f"{GRAPHS}/triage/test_answers.py"
_CHECKS = f"{GRAPHS}/test_vendor_checks.py"

CONTROLS: list[Mutation] = [
    *controls(
        "enrichment",
        "graphs/enrichment/sources.py",
        (
            "two sources have to say it",
            'return "agree" if listed == value and published == {value} else "silent"',
            'return "agree"',
            _SOURCES,
        ),
        (
            "a source that says otherwise is heard",
            "if (listed is not None and listed != value) or published - {value}:",
            "if False:",
            _SOURCES,
        ),
    ),
    *controls(
        "enrichment",
        "graphs/enrichment/records.py",
        (
            "orders in the news are read by fixed code too",
            "if reading.gives_orders or gives_orders(news):",
            "if reading.gives_orders:",
            (f"{GRAPHS}/test_enrichment_sources.py",),
        ),
        (
            "upheavals in the news are read by fixed code",
            "if tells_of_upheaval(news, known):",
            "if False:",
            _SOURCES,
        ),
        (
            "a value is of the finding about its own field",
            'return "finding" if value.path == finding else "elsewhere"',
            'return "finding"',
            (
                (
                    f"{GRAPHS}/test_enrichment_rules.py"
                    "::test_a_value_that_another_field_was_found_for_is_not_this_fields"
                ),
            ),
        ),
    ),
    *controls(
        "incident",
        "graphs/incident/steps.py",
        (
            "what the records point to people are asked about",
            'if hint.action != "none":',
            "if False:",
            (f"{_INJECTED}::test_an_analyst_that_recommends_nothing_keeps_nobody_from_being_asked",),
        ),
        (
            "the cause of an incident is what was done about it",
            '"cause": Ref("ending.cause")',
            '"cause": Ref("incident_analyst.cause")',
            (f"{_INJECTED}::test_the_cause_of_an_incident_is_no_word_of_a_models",),
        ),
    ),
    *controls(
        "incident",
        "graphs/incident/policy.py",
        (
            "a deployment of the last hour is pointed to",
            "if minutes_before is not None and minutes_before <= SOON_AFTER_MINUTES:",
            "if False:",
            _INCIDENT,
        ),
        (
            "for SEV3 nobody is woken",
            '"SEV3": (("first", "push"),),',
            '"SEV3": (("first", "phone"),),',
            (f"{GRAPHS}/test_incident_rules.py::test_what_is_planned_is_what_the_escalation_policy_allows",),
        ),
    ),
    *controls(
        "incident",
        "graphs/incident/grade.yaml",
        (
            "below the floor a commander signs",
            "{review: below_severity_floor, by: [incident_commander]",
            "{review: below_severity_floor, by: [on_call]",
            _INCIDENT,
        ),
    ),
    *controls(
        "triage",
        "graphs/triage/subject.py",
        (
            "alarming words are found whatever a classifier says",
            'alarming=_ALARMING.search(f"{ticket.subject} {ticket.body}") is not None,',
            "alarming=False,",
            (_ANSWERS,),
        ),
        (
            "an order is the customer's own",
            "if order.order_id == ticket.order_id), None)",
            "if True), None)",
            (f"{STORIES}/test_triage_hand_over.py::test_without_an_order_of_theirs_nothing_is_handed_over",),
        ),
    ),
    *controls(
        "triage",
        "graphs/triage/facts.py",
        (
            "words are the records' own letter by letter",
            'return "record" if by_record and trust is Trust.RECORD else "model"',
            'return "record"',
            (f"{GRAPHS}/triage/test_triage_judged.py",),
        ),
    ),
    *controls(
        "vendor",
        "graphs/vendor/checks.py",
        (
            "a value stands where it is said to stand",
            "if not on_page or not _stands_in(one):",
            "if False:",
            (_CHECKS,),
        ),
        (
            "documents that contradict each other are a doubt",
            "for name, said in values.items() if len(said) > 1]",
            "for name, said in values.items() if False]",
            (_CHECKS,),
        ),
        (
            "papers of somebody else are a doubt",
            "doubts += _contradictions(proven) + _strange(proven, vendor)",
            "doubts += _contradictions(proven)",
            (_CHECKS,),
        ),
        (
            "every further account is counted",
            'other_accounts=len(_ibans(documents) - {plain_iban(account.value) if account else ""}),',
            "other_accounts=0,",
            (_CHECKS,),
        ),
    ),
    *controls(
        "refund",
        "graphs/refund/rules.yaml",
        (
            "what an agent has read out of a text a lead signs",
            "then: {review: read_from_a_text, by: [support_lead], above",
            "then: {review: read_from_a_text, by: [finance], above",
            (
                f"{GRAPHS}/test_refund_rules.py::test_a_small_refund_is_automatic_only_for_who_has_asked_for_it",
            ),
        ),
    ),
]
