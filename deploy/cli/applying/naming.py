"""Names in a file and ids in Tenure: which is which, also of what is still to be made."""

from __future__ import annotations

from collections.abc import Callable

from deploy.cli.applying.asking import Kind
from deploy.cli.applying.document import Contents
from deploy.cli.applying.present import Present, Thing

TO_BE_MADE = "group:"
"""Stands before the name of a group that has no id yet."""


class Unnamed(Exception):
    """A name that stands for nothing, in words."""


class Naming:
    """What a file means by a name; implements `asking.Names`."""

    def __init__(self, contents: Contents, present: Present, new_id: Callable[[], str]) -> None:
        self.named_groups: set[str] = set()
        """Those that the file refers to."""
        self._contents = contents
        self._present = present
        self._new_id = new_id
        self._new: dict[tuple[str, str | None, str], str] = {}
        self._new_extensions: dict[str, str] = {}
        self._there = {(one.kind, one.parent, one.name.casefold()): one for one in present.things()}
        self._groups = {group.name for group in contents.groups}
        self._group_names = {id: name for name, ids in present.groups.items() for id in ids}
        self._populations = {one.name.casefold(): one.id for one in present.populations if not one.is_going}
        self._population_names = {one.id: one.name for one in present.populations}
        self._users = {name.casefold(): id for id, name in present.users.items()}
        # Who is gone is still named by what was made before: such a name stands by its id, and is no mistake.
        self._referred = present.referred()

    def there(self, kind: str, parent: str | None, name: str) -> Thing | None:
        return self._there.get((kind, parent, name.casefold()))

    def id(self, kind: str, parent: str | None, name: str) -> str:
        """Of the thing that is there, or will be."""
        thing = self.there(kind, parent, name)
        return thing.id if thing else self._new.setdefault((kind, parent, name.casefold()), self._new_id())

    def population_is(self, name: str, id: str) -> None:
        """The file makes it."""
        self._populations[name.casefold()] = id
        self._population_names[id] = name

    def id_of(self, kind: Kind, name: str) -> str:
        """Raises Unnamed."""
        if kind == "group":
            return self.group_id(name)
        if kind == "population":
            if (population := self._populations.get(name.casefold())) is None:
                raise Unnamed(f"there is no population {name!r}, neither here nor in Tenure")
            return population
        if name in self._present.users or name in self._referred:
            return name
        if (user := self._users.get(name.casefold())) is None:
            raise Unnamed(f"there is no user {name!r}")
        return user

    def name_of(self, kind: Kind, id: str) -> str:
        """The id itself where nothing is known under it."""
        if kind == "group":
            return self._group_names.get(id, id.removeprefix(TO_BE_MADE))
        return (self._population_names if kind == "population" else self._present.users).get(id, id)

    def group_id(self, name: str) -> str:
        """Its id, or what stands for it until it is made. Raises Unnamed."""
        ids = self._present.groups.get(name, ())
        self.named_groups.add(name)
        if len(ids) > 1:
            raise Unnamed(f"{len(ids)} groups are named {name!r}: which one is meant? Rename the others")
        if not ids and name in self._referred:
            return name
        if not ids and name not in self._groups:
            raise Unnamed(f"there is no group {name!r}: name it under groups, so that it is made")
        return ids[0] if ids else TO_BE_MADE + name

    def package_id(self, name: str, catalog: str, title: str) -> str:
        """Of a package of this catalog (`title`: its name), or "Catalog / Package". Raises Unnamed."""
        home, _, inner = name.rpartition(" / ")
        for parent, above, its_name in ((catalog, title, name), (self._catalog(home), home, inner)):
            if parent and (self.there("package", parent, its_name) or self._says(above, its_name)):
                return self.id("package", parent, its_name)
        raise Unnamed(f"there is no access package {name!r} in this catalog; of another one say 'Catalog / Package'")

    def extension_id(self, name: str, catalog: str) -> str:
        """Of a custom extension of this catalog. Raises Unnamed."""
        alike = [
            one for one in self._present.extensions if (one.parent, one.name.casefold()) == (catalog, name.casefold())
        ]
        if len(alike) > 1:
            raise Unnamed(f"{len(alike)} custom extensions are named {name!r}: which one is meant? Rename the others")
        id = self.there("extension", catalog, name)
        if id is None and ("extension", catalog, name.casefold()) not in self._new:
            raise Unnamed(f"there is no custom extension {name!r} in this catalog")
        found = self.id("extension", catalog, name)
        self._new_extensions.setdefault(found, name)
        return found

    def extension_name(self, id: str) -> str:
        """The id itself where nothing is known under it."""
        return {**self._new_extensions, **{one.id: one.name for one in self._present.extensions}}.get(id, id)

    def title_of(self, package: str) -> str:
        """Its name, for people; the id of what is not known."""
        named = {id: name for (kind, _, name), id in self._new.items() if kind == "package"}
        return {**named, **{one.id: one.name for one in self._present.packages}}.get(package, package)

    def _catalog(self, name: str) -> str | None:
        said = any(one.name.casefold() == name.casefold() for one in self._contents.catalogs)
        return self.id("catalog", None, name) if said or self.there("catalog", None, name) else None

    def _says(self, catalog: str, package: str) -> bool:
        return any(
            one.name.casefold() == catalog.casefold()
            and any(it.name.casefold() == package.casefold() for it in one.packages)
            for one in self._contents.catalogs
        )
