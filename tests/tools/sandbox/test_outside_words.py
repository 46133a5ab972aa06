"""Words that others write are marked as such wherever they are read, also where they are only retold."""

import pytest
from pydantic import BaseModel

from graphs.incident.records import Suspect
from nodes.marks import mark_of
from tools.contract import Trust
from tools.sandbox.operations.deployments import Deployment
from tools.sandbox.operations.search import SimilarIncident
from tools.sandbox.orders import OrderLine
from tools.sandbox.vendors.documents import Document


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (SimilarIncident, "title"),  # that of an alert, which is filled in from what services report
        (SimilarIncident, "summary"),
        (Deployment, "change"),
        (Suspect, "change"),
        (Document, "file_name"),
        (OrderLine, "title"),
    ],
)
def test_what_somebody_outside_has_named_is_not_of_record(record: type[BaseModel], field: str) -> None:
    assert mark_of(record, field).trust is Trust.UNTRUSTED
