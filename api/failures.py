"""Failures that a command expects: each is one clear line, and no trace of the code."""

import sys
from collections.abc import Mapping

EXPECTED: Mapping[str, tuple[str, ...]] = {
    "api.client": ("Problem", "TokenUnfit", "Unreachable"),
    "checkpoints.errors": ("CheckpointsError",),
    "checkpoints.postgres_binaries": ("PostgresUnavailable",),
    "graphs.anchor_places": ("AnchorUnfit",),
    "graphs.dossier.shapes": ("DossierUnfit",),
    "graphs.halting": ("HaltAlreadyReleased", "HaltUnfit"),
    "graphs.kit": ("KitUnfit",),
    "graphs.notify": ("NotifyFileUnfit",),
    "graphs.people": ("PeopleFileUnfit",),
    "graphs.record.decision_record": ("RecordUnfit",),
    "graphs.scaffold.layout": ("FolderUnfit", "NameUnfit"),
    "graphs.settings": ("SettingUnfit",),
    "graphs.tools_file": ("ToolsFileUnfit",),
    "graphs.trace_post": ("TracingUnfit",),
    "graphs.trigger_file": ("TriggersFileUnfit",),
    "nodes.strict_yaml": ("TableUnfit",),
    "nodes.workflow": ("WorkflowUnfit",),
}
"""Where they live and what they are called: names, because loading them would cost every command a second."""


def expected() -> tuple[type[Exception], ...]:
    """The errors whose words are for whoever typed the command; one that is not loaded cannot be raised."""
    loaded = ((sys.modules[module], names) for module, names in EXPECTED.items() if module in sys.modules)
    return OSError, *(getattr(module, name) for module, names in loaded for name in names)
