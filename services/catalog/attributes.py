"""Graph's JSON for what a resource wants to know of whoever asks for a package with it (CAT-6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field, ValidationError

from services.catalog.asking import question_of
from services.catalog.bodies import Body
from shared.contracts.policy import ResourceAttribute
from shared.web.errors import BadRequest, of_validation
from shared.web.graph_model import ODATA_TYPE, odata_type_of
from shared.web.questions import question_said

MOST_ATTRIBUTES = 20
STORE, SOURCE = "accessPackageUserDirectoryAttributeStore", "accessPackageResourceAttributeQuestion"


class AttributeIn(Body):
    name: str = Field(min_length=1, max_length=256)
    is_editable: bool | None = None
    is_persisted_on_assignment_removal: bool | None = None
    destination: dict[str, Any] | None = None
    source: dict[str, Any]


def attributes_of(bodies: Sequence[dict[str, Any]], resource_id: str) -> tuple[ResourceAttribute, ...]:
    """Raises BadRequest for what asks no question, asks two about one attribute, or would go elsewhere."""
    if len(bodies) > MOST_ATTRIBUTES:
        raise BadRequest(f"A resource has at most {MOST_ATTRIBUTES} attributes.", target="resource/attributes")
    found = tuple(_attribute_of(body, n, resource_id) for n, body in enumerate(bodies))
    if len({one.name.casefold() for one in found}) < len(found):
        raise BadRequest("Two questions are about one attribute.", target="resource/attributes")
    return found


def _attribute_of(body: dict[str, Any], number: int, resource_id: str) -> ResourceAttribute:
    where = f"resource/attributes/{number}"
    try:
        said = AttributeIn.model_validate(body)
    except ValidationError as problem:
        raise of_validation(
            {**one, "loc": ("body", *where.split("/"), *one["loc"])} for one in problem.errors()
        ) from None
    question = said.source.get("question")
    if (odata_type_of(said.source) or SOURCE) != SOURCE or not isinstance(question, dict):
        raise BadRequest(f"The source is a #microsoft.graph.{SOURCE} with a question.", target=f"{where}/source")
    if said.destination is not None and (odata_type_of(said.destination) or STORE) != STORE:
        raise BadRequest(f"The destination is #microsoft.graph.{STORE}.", target=f"{where}/destination")
    return ResourceAttribute(
        name=said.name,
        question=question_of(question, f"{where}/source/question", resource_id, number),
        is_editable=said.is_editable is not False,
        is_persisted_on_assignment_removal=bool(said.is_persisted_on_assignment_removal),
    )


def attribute_said(one: ResourceAttribute) -> dict[str, Any]:
    return {
        "name": one.name,
        "isEditable": one.is_editable,
        "isPersistedOnAssignmentRemoval": one.is_persisted_on_assignment_removal,
        "destination": {ODATA_TYPE: f"#microsoft.graph.{STORE}"},
        "source": {ODATA_TYPE: f"#microsoft.graph.{SOURCE}", "question": question_said(one.question)},
    }
