"""The enrichment workflow: its event, records, rules, roles and graph, put together."""

from graphs.enrichment.agents import NewsReading, Profile, Segmentation
from graphs.enrichment.graph import build
from graphs.enrichment.playbooks import news_reader_playbook, profiler_playbook, segmenter_playbook
from graphs.enrichment.records import TOPICS, EnrichmentDue, FieldFacts, FieldTarget, derive, field_facts
from graphs.enrichment.restoring import RestoringFacts, restoring_facts
from graphs.kit import Judged, Kit, Mind
from nodes.records import Source

RECORDS = (
    Source(name="account", tool="crm.get_account", arguments={"account_id": "event.account_id"}),
    Source(name="relations", tool="crm.relations", arguments={"account_id": "event.account_id"}),
    Source(name="firmographics", tool="firmographics.get", arguments={"register_no": "account.register_no"}),
    Source(name="news", tool="news.search", arguments={"company_name": "account.name"}),
)
SCOPE = (
    ("account.account_id", "event.account_id"),
    ("account.fields.account_id", "event.account_id"),
    ("relations.account_id", "event.account_id"),
    ("relations.relations.account_id", "event.account_id"),
    ("firmographics.register_no", "account.register_no"),
    ("news.company_name", "account.name"),
)

KIT = Kit(
    package="graphs.enrichment",
    name="enrichment",
    version="1",
    event_type="com.countersign.account.enrichment_due",
    event=EnrichmentDue,
    title=lambda event: f"Enrichment of account {event.account_id}",
    sources=RECORDS,
    scope=SCOPE,
    derive=derive,
    derived=dict.fromkeys(TOPICS, FieldTarget),
    judged=(
        Judged(
            tool="crm.set_field",
            file="rules.yaml",
            facts=FieldFacts,
            gather=field_facts,
            own={"account_id": "account.account_id"},
            apart=("field",),
            hears=("profiler", "news_reader", "segmenter"),
            said={"value": ("profiler", "segmenter")},
        ),
        Judged(
            tool="crm.restore_field",
            file="restoring.yaml",
            facts=RestoringFacts,
            gather=restoring_facts,
            own={name: f"undo.{name}" for name in ("account_id", "field", "version")},
        ),
    ),
    agents={
        "profiler": Mind(Profile, profiler_playbook),
        "news_reader": Mind(NewsReading, news_reader_playbook),
        "segmenter": Mind(Segmentation, segmenter_playbook),
    },
    build=build,
)
