"""The vendor workflow's rules: each boundary with what is on either side of it."""

from functools import cache
from typing import Any

import pytest

from graphs.vendor import KIT
from graphs.vendor.facts import ActivationFacts, ClearanceFacts, EndorsementFacts, RequestFacts
from graphs.vendor.undoing import UndoFacts
from nodes.facts import Facts
from nodes.reversing import held_to_tools
from nodes.rules import Outcome, Verdict
from tests.house import House

ENDORSE, CLEAR, ACTIVATE, REQUEST = (
    f"vendors.{verb}" for verb in ("endorse_account", "record_clearance", "activate", "request_information")
)
CLEAN: dict[str, tuple[type[Facts], dict[str, Any]]] = {
    ENDORSE: (
        EndorsementFacts,
        {
            "vendor_status": "applied",
            "screening_percent": 0,
            "on_file": "none",
            "home_country": True,
            "other_accounts": 0,
            "missing": 0,
            "doubts": 0,
            "confidence_percent": 95,
        },
    ),
    CLEAR: (
        ClearanceFacts,
        {
            "department": "legal",
            "vendor_status": "applied",
            "screening_percent": 0,
            "screener_risk": "low",
            "missing": 0,
            "doubts": 0,
            "confidence_percent": 95,
        },
    ),
    ACTIVATE: (
        ActivationFacts,
        {
            "vendor_status": "applied",
            "screening_percent": 0,
            "legal_cleared": True,
            "finance_cleared": True,
            "procurement_cleared": True,
            "account_endorsed": True,
        },
    ),
    REQUEST: (
        RequestFacts,
        {
            "vendor_status": "applied",
            "template": "missing_information",
            "by_record": True,
            "missing": 1,
            "turn": 1,
        },
    ),
}


@cache
def rulings() -> Any:
    return KIT.workflow().rulings


def verdict(tool: str, **changes: Any) -> Verdict:
    facts, clean = CLEAN[tool]
    return rulings()[tool].table.judge(facts(**clean | changes))  # type: ignore[no-any-return] # a table's


def says(tool: str, **changes: Any) -> tuple[str, Any]:
    """What the table says: the outcome, and who signs or why not."""
    found = verdict(tool, **changes)
    if found.outcome is Outcome.REVIEW:
        return "review", [(rung.role, rung.people) for rung in found.then.steps]
    return found.outcome.value, found.then.reason


# --- who signs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "people"),
    [
        ({}, 1),
        ({"on_file": "other"}, 2),
        ({"other_accounts": 1}, 2),
        ({"home_country": False}, 2),
        ({"on_file": "other", "other_accounts": 3, "home_country": False}, 2),
    ],
)
def test_an_account_is_endorsed_by_finance_and_by_two_where_it_is_odd(
    changes: dict[str, Any], people: int
) -> None:
    assert says(ENDORSE, **changes) == ("review", [("finance", people)])


@pytest.mark.parametrize("department", ["legal", "finance", "procurement"])
def test_each_department_is_cleared_by_its_own_people(department: str) -> None:
    assert says(CLEAR, department=department) == ("review", [(department, 1)])


@pytest.mark.parametrize(
    ("score", "who"),
    [(0, ["legal"]), (69, ["legal"]), (70, ["legal", "compliance"]), (89, ["legal", "compliance"])],
)
def test_where_a_name_is_like_one_of_the_list_compliance_signs_beside_legal(
    score: int, who: list[str]
) -> None:
    assert says(CLEAR, screening_percent=score) == ("review", [(role, 1) for role in who])


@pytest.mark.parametrize("department", ["finance", "procurement"])
def test_a_like_name_is_no_matter_of_the_others(department: str) -> None:
    assert says(CLEAR, department=department, screening_percent=89) == ("review", [(department, 1)])


# --- what stops it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", [ENDORSE, CLEAR, ACTIVATE])
@pytest.mark.parametrize(("score", "stopped"), [(89, False), (90, True), (100, True)])
def test_whom_the_sanctions_list_names_compliance_looks_into(tool: str, score: int, stopped: bool) -> None:  # noqa: FBT001 - a parameter
    found = verdict(tool, screening_percent=score)

    assert (found.then.reason == "sanctions_hit") is stopped
    assert not stopped or (found.outcome, found.then.owner) == (Outcome.INVESTIGATE, "compliance")


@pytest.mark.parametrize("tool", CLEAN)
@pytest.mark.parametrize("status", ["active", "suspended"])
def test_for_who_has_not_applied_nothing_is_done(tool: str, status: str) -> None:
    assert says(tool, vendor_status=status) == ("refuse", "not_applied")


@pytest.mark.parametrize("tool", [ENDORSE, CLEAR])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"missing": 1}, "dossier_incomplete"),
        ({"doubts": 1}, "dossier_doubtful"),
        ({"confidence_percent": 69}, "low_confidence"),
    ],
)
def test_papers_that_are_not_whole_and_sure_are_looked_into(
    tool: str, changes: dict[str, Any], reason: str
) -> None:
    assert says(tool, **changes) == ("investigate", reason)


@pytest.mark.parametrize("tool", [ENDORSE, CLEAR])
def test_an_agent_is_sure_from_70_percent(tool: str) -> None:
    assert says(tool, confidence_percent=70)[0] == "review"


@pytest.mark.parametrize(
    ("risk", "outcome"), [("low", "review"), ("medium", "review"), ("high", "investigate")]
)
def test_a_high_risk_by_the_screener_goes_to_compliance(risk: str, outcome: str) -> None:
    assert says(CLEAR, screener_risk=risk)[0] == outcome


def test_what_is_endorsed_is_not_endorsed_again() -> None:
    assert says(ENDORSE, on_file="same") == ("refuse", "already_endorsed")


# --- what goes by itself ------------------------------------------------------------------------------------


def test_with_all_that_people_have_said_a_vendor_is_activated_by_rule() -> None:
    assert says(ACTIVATE) == ("allow", "cleared_by_all")


@pytest.mark.parametrize(
    ("lacking", "reason"),
    [
        ("legal_cleared", "clearance_missing"),
        ("finance_cleared", "clearance_missing"),
        ("procurement_cleared", "clearance_missing"),
        ("account_endorsed", "account_not_endorsed"),
    ],
)
def test_without_one_of_them_it_is_not(lacking: str, reason: str) -> None:
    assert says(ACTIVATE, **{lacking: False}) == ("investigate", reason)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ("allow", "documents_are_missing")),
        ({"turn": 3}, ("allow", "documents_are_missing")),
        ({"turn": 4}, ("investigate", "asked_too_often")),
        ({"missing": 0}, ("refuse", "nothing_to_ask")),
        ({"template": "reminder"}, ("investigate", "no_rule_matches")),
        ({"by_record": False}, ("review", [("procurement", 1)])),
        ({"by_record": False, "turn": 4}, ("investigate", "asked_too_often")),
    ],
)
def test_a_vendor_is_asked_by_rule_for_what_records_show_to_be_missing(
    changes: dict[str, Any], said: tuple[str, Any]
) -> None:
    assert says(REQUEST, **changes) == said


@pytest.mark.parametrize("tool", [ENDORSE, CLEAR])
def test_an_endorsement_and_a_clearance_are_never_automatic(tool: str) -> None:
    assert all(row.then.outcome is not Outcome.ALLOW for row in rulings()[tool].table.rows)


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ("vendors.revoke_account", ("review", "endorsement_taken_back")),
        ("vendors.deactivate", ("review", "activation_ended")),
        ("vendors.withdraw_clearance", ("allow", "still_stands")),
        ("vendors.retract_request", ("allow", "still_held")),
    ],
)
def test_what_stands_is_taken_back_in_time_and_not_else(tool: str, said: tuple[str, str]) -> None:
    def undone(*, within: bool, stands: bool) -> tuple[str, str]:
        found = rulings()[tool].table.judge(UndoFacts(within_window=within, stands=stands))
        return found.outcome.value, found.then.reason

    assert undone(within=True, stands=True) == said
    assert undone(within=False, stands=True) == ("refuse", "window_over")
    assert undone(within=True, stands=False) == ("refuse", "nothing_to_undo")


async def test_no_table_allows_what_cannot_be_taken_back(house: House) -> None:
    held_to_tools(KIT.workflow(), house.parts.registry)
