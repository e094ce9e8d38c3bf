"""The shape of the repository: who imports whom, which rooms a service has, and what no file may contain."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(init.parent for init in (ROOT / "services").glob("*/__init__.py"))
ROOMS = ("model.py", "decide.py", "messages.py", "api.py", "store.py", "service.py")

# Put together from parts, so that this file does not contain what it looks for.
INDEX_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("registry", "npmjs", "org"),
        ("index", "crates", "io"),
        ("proxy", "golang", "org"),
    )
]
MACHINE_PATHS = [f"/{folder}/" for folder in ("work", "root", "Users", "opt/wheels")]
FORBIDDEN = re.compile("|".join([*map(re.escape, INDEX_HOSTS), *(rf"(?<![\w.$}}~*/-]){p}" for p in MACHINE_PATHS)]))


def modules_imported_by(file: Path) -> Iterator[str]:
    """Every module the file names in an import, wherever it stands, relative ones made absolute."""
    package = ".".join(file.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def of_ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in {"services", "deploy", "tests"}


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_a_service_imports_shared_and_itself_and_no_other_service(service: Path) -> None:
    itself = f"services.{service.name}"
    strangers = {
        f"{file.relative_to(ROOT)} imports {module}"
        for file in service.rglob("*.py")
        for module in modules_imported_by(file)
        if of_ours(module) and module != "services" and module != itself and not module.startswith(itself + ".")
    }
    assert strangers == set()


def test_shared_imports_neither_services_nor_deploy() -> None:
    strangers = {
        f"{file.relative_to(ROOT)} imports {module}"
        for file in (ROOT / "shared").rglob("*.py")
        for module in modules_imported_by(file)
        if of_ours(module)
    }
    assert strangers == set()


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_a_service_has_the_rooms_that_every_service_has(service: Path) -> None:
    card = ast.get_docstring(ast.parse((service / "__init__.py").read_text()))
    assert card, f"{service.name}/__init__.py says what the service owns, hears and says"
    lacks = re.search(r"^Rooms it lacks: (.+)$", card, re.MULTILINE)
    named = {name.strip(" `.") for name in re.split(r"[,;]|\band\b", lacks[1])} if lacks else set()
    missing = {room.removesuffix(".py") for room in ROOMS if not has_room(service, room)}
    assert missing == {name.removesuffix(".py") for name in named}


def has_room(service: Path, room: str) -> bool:
    return (service / room).is_file() or (service / room.removesuffix(".py") / "__init__.py").is_file()


def test_no_file_names_a_package_index_or_a_path_of_somebodys_machine() -> None:
    found = []
    for name in tracked_files():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        found += [f"{name}:{text.count(chr(10), 0, hit.start()) + 1}: {hit[0]}" for hit in FORBIDDEN.finditer(text)]
    assert found == []


def tracked_files() -> list[str]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.decode().split("\0") if name]
