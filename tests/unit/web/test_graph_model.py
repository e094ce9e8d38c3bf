"""Bodies as Graph writes them."""

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Discriminator, Field, Tag, TypeAdapter, ValidationError

from shared.web.errors import of_validation
from shared.web.graph_model import GraphInput, GraphModel, GraphTime, GraphType, Moment, odata_type_of


class Package(GraphModel):
    display_name: str
    created_date_time: GraphTime | None = None


class SubjectSet(GraphType, odata_type="subjectSet"):
    pass


class SingleUser(SubjectSet, odata_type="singleUser"):
    user_id: str


class GroupMembers(SubjectSet, odata_type="groupMembers"):
    group_id: str


AnySubject = Annotated[
    Annotated[SingleUser, Tag("singleUser")] | Annotated[GroupMembers, Tag("groupMembers")],
    Discriminator(odata_type_of),
]


def test_names_are_camel_case_and_times_in_utc() -> None:
    rome = timezone(timedelta(hours=2))
    package = Package(display_name="Sales", created_date_time=datetime(2026, 7, 1, 9, 30, tzinfo=rome))
    assert package.graph() == {"displayName": "Sales", "createdDateTime": "2026-07-01T07:30:00Z"}
    assert Package.model_validate({"displayName": "Sales", "unknown": 1}).display_name == "Sales"
    later = package.model_copy(update={"created_date_time": datetime(2026, 7, 1, 7, 30, 0, 5000, tzinfo=UTC)})
    assert later.graph()["createdDateTime"] == "2026-07-01T07:30:00.005Z"


def test_a_moment_is_one_in_utc() -> None:
    class Body(GraphInput):
        at: Moment | None = None

    assert Body(at=datetime(2026, 7, 1, 9, 30, 0, 999_999)).at == datetime(2026, 7, 1, 9, 30, 0, 999_000, UTC)  # noqa: DTZ001
    assert Body.model_validate({"at": "2028-02-29T00:30:00.1234567+14:00"}).at == datetime(
        2028, 2, 28, 10, 30, 0, 123_000, UTC
    )
    for outside in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        with pytest.raises(ValidationError, match="in UTC") as wrong:
            Body.model_validate({"at": outside})
        assert of_validation([{**one, "loc": ("body", *one["loc"])} for one in wrong.value.errors()]).target == "at"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("isHidden", (True, False, None), ("no", "true", 1, 0, 0.0, [])),
        ("sequence", (1, None), (True, "1", 1.5, {})),
        ("endDateTime", ("2026-07-01T00:00:00Z", None), (5, -1.5, True, [])),
    ],
)
def test_a_value_of_another_json_type_is_none(name: str, good: tuple[object, ...], bad: tuple[object, ...]) -> None:
    class Create(GraphInput):
        is_hidden: bool | None = None
        sequence: int | None = None
        end_date_time: datetime | None = None

    for value in good:
        assert name in Create.model_validate({name: value}).model_dump()
    for value in bad:
        with pytest.raises(ValidationError, match=name):
            Create.model_validate({name: value})


def test_what_a_caller_sends_may_hold_nothing_unknown() -> None:
    class Create(GraphInput):
        display_name: str

    with pytest.raises(ValidationError, match="dispalyName"):
        Create.model_validate({"displayName": "x", "dispalyName": "x"})


def test_a_derived_type_says_which_it_is() -> None:
    assert SingleUser(user_id="u").graph() == {"@odata.type": "#microsoft.graph.singleUser", "userId": "u"}


@pytest.mark.parametrize("said", ["#microsoft.graph.groupMembers", "microsoft.graph.groupMembers", "groupMembers"])
def test_a_derived_type_is_read_with_and_without_its_hash(said: str) -> None:
    subjects: TypeAdapter[SingleUser | GroupMembers] = TypeAdapter(AnySubject)
    read = subjects.validate_python({"@odata.type": said, "groupId": "g"})
    assert read == GroupMembers(group_id="g")
    assert subjects.dump_python(read)["@odata.type"] == "#microsoft.graph.groupMembers"


def test_an_unknown_derived_type_is_refused() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AnySubject).validate_python({"@odata.type": "#microsoft.graph.nobody"})


def test_enumerations_are_read_without_regard_to_case_and_other_texts_as_they_are() -> None:
    class Colour(StrEnum):
        DARK_RED = "darkRed"

    class Inner(GraphInput):
        kind: Literal["adminAdd", "adminRemove"]

    class Paint(GraphInput):
        state: Literal["published", "unpublished"] | None = None
        colours: tuple[Colour, ...] = ()
        display_name: str = ""
        inner: Inner | None = None

    read = Paint.model_validate(
        {"state": "Published", "colours": ["DARKRED"], "displayName": "Published", "inner": {"kind": "AdminAdd"}}
    )
    assert (read.state, read.colours, read.display_name) == ("published", (Colour.DARK_RED,), "Published")
    assert read.inner is not None
    assert read.inner.kind == "adminAdd"
    with pytest.raises(ValidationError, match="published"):
        Paint.model_validate({"state": "hidden"})


def test_a_list_is_not_called_too_short_for_what_was_refused_in_it() -> None:
    class Inner(GraphInput):
        name: str

    class Outer(GraphInput):
        value: Annotated[tuple[Inner, ...], Field(min_length=1)]

    def said(body: dict[str, Any]) -> str:
        with pytest.raises(ValidationError) as refused:
            Outer.model_validate(body)
        return of_validation(refused.value.errors()).message

    assert said({"value": [{}]}) == "'value/0/name': Field required."
    assert said({"value": [{}, {"name": 5}]}).endswith("(and 1 more).")
    assert said({"value": []}).startswith("'value': Tuple should have at least 1 item")
