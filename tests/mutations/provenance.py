"""What guards whose word an argument is, and what is proven of a workflow before anything runs on it."""

from tests.mutations.mutation import GRAPHS, NODES, STORIES, Mutation, controls

_HEARSAY = f"{NODES}/test_hearsay.py"
_ORIGINS = (f"{NODES}/test_origins.py",)
_TWO = f"{GRAPHS}/test_rule_of_two.py"
_HANDED_OVER = (
    (
        f"{STORIES}/test_triage_hand_over.py"
        "::test_what_an_agent_has_read_out_of_a_ticket_is_paid_by_no_rule_however_little_it_is"
    ),
)

CONTROLS: list[Mutation] = [
    *controls(
        "provenance",
        "nodes/judge.py",
        (
            "an agent's word is an argument only where it is listed",
            "if self._puts_words(ruling, proposal):",
            "if False:",
            (f"{_HEARSAY}::test_what_an_agent_said_is_no_argument_unless_the_workflow_lists_it",),
        ),
        (
            "the judge knows of a case that another one has opened it",
            "handed_over=handed_over",
            "handed_over=False",
            _HANDED_OVER,
        ),
    ),
    *controls(
        "provenance",
        "graphs/judging.py",
        (
            "whoever has opened a case is told to its judge",
            '        **({"parent": case.parent_id} if case.parent_id else {}),\n',
            "",
            _HANDED_OVER,
        ),
    ),
    *controls(
        "provenance",
        "nodes/origins.py",
        (
            "a literal counts as a model's",
            "        case Trust.RECORD if not isinstance(proposal.arguments[name], Ref):",
            "        case Trust.RECORD if False:",
            _ORIGINS,
        ),
        (
            "what another case has opened is no author's word",
            'return "model" if handed_over else "author"',
            'return "author"',
            _ORIGINS,
        ),
        (
            "somebody's text is untrusted",
            'return "untrusted"',
            'return "record"',
            _ORIGINS,
        ),
        (
            "an origin is told by a fact that knows all origins",
            "if field is None or set(get_args(field.annotation)) != set(get_args(Origin)):",
            "if False:",
            _ORIGINS,
        ),
    ),
    *controls(
        "provenance",
        "nodes/records.py",
        (
            "what an agent has said is a model's at best",
            "return Trust.MODEL if isinstance(records[name], Said) and trust is Trust.RECORD else trust",
            "return trust",
            _ORIGINS,
        ),
    ),
    *controls(
        "provenance",
        "nodes/workflow.py",
        (
            "nobody gathers an origin",
            "return gathered | measured | self._origins(records, proposal, now, handed_over=handed_over)",
            "return self._origins(records, proposal, now, handed_over=handed_over) | measured | gathered",
            _ORIGINS,
        ),
        (
            "whatever is concluded is somebody's word",
            "if bold := sorted(name for name, record in found.items() if not isinstance(record, Said)):",
            "if bold := []:",
            (f"{NODES}/test_conclusions.py",),
        ),
    ),
    *controls(
        "scope",
        "nodes/workflow.py",
        (
            "every record says whose it is",
            "if open_ := [one.name for one in self.sources if not one.shared and one.name not in scoped]:",
            "if open_ := []:",
            (f"{_HEARSAY}::test_a_workflow_whose_records_could_be_anybodys_is_refused",),
        ),
    ),
    *controls(
        "closed world",
        "graphs/closed_world.py",
        (
            "no step has an error handler that leads anywhere",
            "if graph._node_defaults.error_handler is not None:",
            "if False:",
            (f"{GRAPHS}/test_closed_world.py::test_what_may_lead_anywhere_is_refused",),
        ),
        (
            "no edge comes from several steps",
            "if graph.waiting_edges:",
            "if False:",
            (f"{GRAPHS}/test_closed_world.py::test_what_may_lead_anywhere_is_refused",),
        ),
        (
            "a step lists what something judges",
            "if strange := sorted(set(listed) - set(tools)):",
            "if strange := []:",
            (f"{GRAPHS}/test_closed_world.py",),
        ),
    ),
    *controls(
        "rule of two",
        "graphs/rule_of_two.py",
        (
            "no agent holds all three",
            "if outside and sensitive and alone:",
            "if False:",
            (f"{_TWO}::test_all_three_are_refused_and_named",),
        ),
        (
            "an agent's words are followed through fixed steps",
            "if proposes or argument else ():",
            "if proposes else ():",
            (f"{_TWO}::test_an_agents_words_are_followed_through_fixed_steps_that_propose_them",),
        ),
        (
            "also through what is concluded from them",
            "((name,) if name in workflow.agents else ruling.hears)",
            "(name,)",
            (f"{_TWO}::test_an_agents_words_are_followed_through_fixed_steps_that_propose_them",),
        ),
        (
            "text from outside comes through what another agent has said",
            "if any(_outside(workflow, models, workflow.agents[name], (*asked, role.name))):",
            "if False:",
            (f"{_TWO}::test_text_from_outside_also_comes_through_what_another_agent_has_said",),
        ),
        (
            "a role lists what there is",
            "if unknown := [path for path in fields if not _exists(models, path)]:",
            "if unknown := []:",
            (f"{_TWO}::test_a_role_that_lists_what_there_is_not_is_refused",),
        ),
    ),
    *controls(
        "rule of two",
        "graphs/provenance.py",
        (
            "words are somebody's",
            "if strange := sorted(one for one in words if not workflow.is_said(one)):",
            "if strange := []:",
            (f"{_TWO}::test_what_nobody_says_is_listed_as_nobodys_words",),
        ),
    ),
    *controls(
        "rule of two",
        "graphs/wiring.py",
        (
            "nothing runs that is not held to it",
            "    require_rule_of_two(workflow, registry)\n",
            "",
            (f"{_TWO}::test_what_is_not_proven_does_not_run",),
        ),
        (
            "nothing runs whose words are nobody's",
            "    require_provenance(workflow, registry)\n",
            "",
            (f"{_TWO}::test_what_is_not_proven_does_not_run",),
        ),
        (
            "nothing runs whose graph is open",
            "    require_closed(workflow.name, workflow.build(), workflow.rulings)\n",
            "",
            (f"{_TWO}::test_what_is_not_proven_does_not_run",),
        ),
    ),
    *controls(
        "provenance",
        "nodes/origins.py",
        (
            "what a case handed over is no authority by itself",
            "one | model if handed_over and _says_the_case(one) else one for",
            "one for",
            (f"{_HEARSAY}::test_what_another_case_has_handed_over_is_never_an_authority_argument_by_itself",),
        ),
    ),
]
