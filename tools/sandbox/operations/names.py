"""What things of operations are called: their ids, severities and the states they can be in."""

from typing import Annotated, Literal

from pydantic import Field

ServiceId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{2,39}$", max_length=40)]
AlertId = Annotated[str, Field(pattern=r"^AL-[0-9]{6}$", max_length=9)]
DeploymentId = Annotated[str, Field(pattern=r"^D-[0-9]{6}$", max_length=8)]
IncidentId = Annotated[str, Field(pattern=r"^INC-[0-9]{6,12}$", max_length=16)]
DeedId = Annotated[str, Field(pattern=r"^IN-[0-9]{6,12}$", max_length=15)]
TaskId = Annotated[str, Field(pattern=r"^FT-[0-9]{6,12}$", max_length=15)]
ActionId = Annotated[str, Field(pattern=r"^SA-[0-9]{6,12}$", max_length=15)]
Rota = Annotated[str, Field(pattern=r"^rota-[a-z-]{2,50}$", max_length=55)]
Team = Annotated[str, Field(pattern=r"^team_[a-z]{2,30}$", max_length=35)]
Code = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$", max_length=40)]
# without NUL, which Postgres cannot hold; a pattern also refuses lone surrogates, which UTF-8 cannot
Title = Annotated[str, Field(pattern=r"^[^\x00]+$", min_length=1, max_length=200)]

Severity = Literal["SEV1", "SEV2", "SEV3", "SEV4"]
"""SEV1 is the worst."""
Impact = Literal["none", "degraded", "outage"]
"""What customers notice."""
Urgency = Literal["phone", "push"]
"""How somebody is called: `phone` wakes them, `push` does not."""
Tier = Annotated[int, Field(ge=1, le=3)]
"""How much hangs on a service; on tier 1 the most."""
