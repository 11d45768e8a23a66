"""What happens to any run: its beginning, what it logs, its end, and what became of its delivery."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from .event_values import Metrics, Params
from .keys import RunKey
from .run import Ending
from .stage import Stage
from .value import Value


class Adoption(Value):
    """A run of the backend that stands open already, to be taken over.

    `ended_by_service`: whoever made it, a job's service, ends it, too. `even_ended`: the user asked for this very run,
    so that it is taken over also when it has ended by the time of delivery.
    """

    run_id: str
    ended_by_service: bool = False
    even_ended: bool = False


class RunStarted(Value):
    """A run was opened. With `adopt`, in a run that the backend has already."""

    kind: Literal["RunStarted"] = "RunStarted"
    project: str
    stage: Stage
    subject: Params
    attempt: int = Field(ge=1)
    name: str
    experiment: str
    parent: RunKey | None = None
    environment: str = "local"
    created_by: str = ""
    version: str
    adopt: Adoption | None = None


class ParamsLogged(Value):
    """Params of a run, typed as they were given."""

    kind: Literal["ParamsLogged"] = "ParamsLogged"
    params: Params


class TagsSet(Value):
    """The user's own tags on a run."""

    kind: Literal["TagsSet"] = "TagsSet"
    tags: dict[str, str]


class MetricsLogged(Value):
    """Metric values, measured at the envelope's time."""

    kind: Literal["MetricsLogged"] = "MetricsLogged"
    metrics: Metrics
    step: int = 0


class ArtifactLogged(Value):
    """Files of a run, pinned in the home until they are delivered.

    `pin` is the place of the bytes, relative to the home; `required` makes FINISHED depend on their delivery.
    """

    kind: Literal["ArtifactLogged"] = "ArtifactLogged"
    manifest: JsonValue
    pin: str
    required: bool = False


class RecordWritten(Value):
    """A small service file of a run: `studbook/records/<name>.json`, written once."""

    kind: Literal["RecordWritten"] = "RecordWritten"
    name: str
    content: JsonValue
    digest: str


class RunEnded(Value):
    """A run reached its terminal status."""

    kind: Literal["RunEnded"] = "RunEnded"
    ending: Ending


class RunHeartbeat(Value):
    """A run without other events is still alive."""

    kind: Literal["RunHeartbeat"] = "RunHeartbeat"


class ArtifactAcquired(Value):
    """Files were handed over, verified. A fact of this machine: it is not delivered."""

    kind: Literal["ArtifactAcquired"] = "ArtifactAcquired"
    subject: str
    receipt: JsonValue


class DeliveryRefused(Value):
    """A backend refused events for good. Their payload stays in the journal."""

    kind: Literal["DeliveryRefused"] = "DeliveryRefused"
    writer: str
    sequence: int
    reason: str


class RefusalDismissed(Value):
    """Somebody decided that a refused event need not be delivered any more. Its payload stays in the journal."""

    kind: Literal["RefusalDismissed"] = "RefusalDismissed"
    writer: str
    sequence: int
    reason: str


class RunReaped(Value):
    """A run whose writer had died was ended, at the time of its last event; a trial counts as FAILED."""

    kind: Literal["RunReaped"] = "RunReaped"
    reason: str
    last_event_ns: int
    stage: Stage | None = None
