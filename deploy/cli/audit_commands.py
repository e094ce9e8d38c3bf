"""`tenure audit …`, `tenure explain`, `tenure access`: the trail, its proof, why, and who had what when."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.common import DEFAULT_DIR, Api, AsJson, DataDir, check_token, credentials, plain
from deploy.cli.endpoints import CommandFailed, NothingAnswers, api_url
from services.audit.decide.evidence import problems_of
from services.audit.decide.verify import NO_CHECKPOINT, Verification
from services.audit.model import Verdict, key_id_of
from services.audit.signing import authentic_by
from shared.contracts.audit import Checkpoint
from shared.spreadsheets import harmless

NOT_SOUND = 1
LONG_S = 3600.0
"""Proving a long trail takes a while."""

audit = typer.Typer(help="The trail: prove it, take it along, see the key that signs it.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add all of these to the `tenure` command."""
    app.add_typer(audit, name="audit")
    app.command()(explain)
    app.command()(access)


@audit.command()
def verify(
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    file: Annotated[Path | None, typer.Option(help="An export to prove here, without asking anyone.")] = None,
    checkpoints: Annotated[
        Path | None, typer.Option(help="With --file: checkpoints that were kept elsewhere, a line of JSON each.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="With --file or --bundle: the only public key to trust, in hex (`tenure audit key`)."),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="The evidence of a review to prove here (`tenure reviews evidence`).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove the trail, or a bundle of evidence; or say exactly where it breaks. Exit code 1 if it does."""
    _require_something_to_hold_against(file, bundle, checkpoints, key)
    if bundle is not None:
        _verify_bundle(bundle, key, as_json=as_json)
        return
    if file is not None:
        try:
            with file.open("rb") as lines, Console(stderr=True).status("Proving the trail …"):
                kept = checkpoints.read_bytes().splitlines() if checkpoints else []
                body = proven(lines, kept, key).body()
        except OSError as problem:
            raise CommandFailed(f"{problem.filename}: {problem.strerror}") from None
    else:
        with Console(stderr=True).status("Proving the trail …"):
            body = _get(data_dir, api, "audit/verify")
    if as_json:
        _print_json(body)
    else:
        _print_proof(body)
    if not body["sound"]:
        raise typer.Exit(NOT_SOUND)


def _require_something_to_hold_against(
    file: Path | None, bundle: Path | None, checkpoints: Path | None, key: str | None
) -> None:
    """Refuse options that would be passed over: who gives a key believes that it was used. Raises CommandFailed."""
    if file is not None and bundle is not None:
        raise CommandFailed("--file and --bundle are two things to prove: give one of them.")
    if checkpoints is not None and file is None:
        raise CommandFailed("--checkpoints goes with --file: export the trail first (`tenure audit export -o FILE`).")
    if key is not None and file is None and bundle is None:
        raise CommandFailed(
            "--key goes with --file or --bundle, for a run proves its trail by the keys that it has itself: "
            "export the trail first (`tenure audit export -o FILE`)."
        )


def _verify_bundle(path: Path, key: str | None, *, as_json: bool) -> None:
    try:
        body = bundle_proven(json.loads(path.read_bytes()), key)
    except OSError as problem:
        raise CommandFailed(f"{problem.filename}: {problem.strerror}") from None
    except ValueError as problem:
        raise CommandFailed(f"{path} is no bundle of evidence: {problem}.") from None
    if as_json:
        _print_json(body)
    elif body["sound"]:
        trusted = "" if key else " It was checked with the key it names itself: give yours with --key."
        typer.echo(f"The bundle is whole: {body['records']:,} records, {body['items']:,} decided items.{trusted}")
    else:
        typer.echo(f"The bundle was changed in {len(body['problems'])} places:")
        for one in body["problems"]:
            typer.echo(f"  {one['where']}: {one['message']}")
    if not body["sound"]:
        raise typer.Exit(NOT_SOUND)


def bundle_proven(bundle: Any, key: str | None = None) -> dict[str, Any]:
    """Check a bundle of evidence. `key`: the only public key to trust, hex; else the one that the bundle names, which
    only shows that it agrees with itself. Raises ValueError for what is no bundle."""
    try:
        keys = _trusted(key) if key is not None else _trusted(bundle["proof"]["publicKey"])
        problems = problems_of(bundle, authentic_by(keys))
        counts = {"records": len(bundle["records"]), "items": len(bundle["items"])}
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"{type(problem).__name__} {problem}") from None
    return {"sound": not problems, **counts, "problems": problems}


@audit.command()
def export(
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write. Standard output.")] = None,
) -> None:
    """The whole trail as lines of JSON: keys, checkpoints, records. Holds personal data."""
    url = f"{api_url(data_dir, api)}/v1.0/tenure/audit/export"
    try:
        headers = credentials(data_dir, api)
        with httpx.stream("GET", url, timeout=LONG_S, trust_env=False, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                answer.read()
                check_token(answer)
                raise CommandFailed(_refusal(answer))
            with out.open("wb") if out else nullcontext(sys.stdout.buffer) as target:
                for chunk in answer.iter_bytes():
                    target.write(chunk)
                target.flush()
    except httpx.HTTPError as problem:
        raise NothingAnswers(f"{url} does not answer: {problem}") from None
    except OSError as problem:
        raise CommandFailed(f"{out or 'Standard output'}: {problem.strerror}. The export is not whole.") from None


@audit.command("key")
def show_key(data_dir: DataDir = DEFAULT_DIR, api: Api = None, as_json: AsJson = False) -> None:
    """The public key that signs the trail's heads: keep it away from this system."""
    body = _get(data_dir, api, "audit/key")
    if as_json:
        _print_json(body)
    else:
        typer.echo(f"{body['publicKey']}  (Ed25519, key id {body['keyId']})\n{body['pem']}", nl=False)


@audit.command()
def erase(
    person: Annotated[str, typer.Argument(help="Person id.")],
    reason: Annotated[str, typer.Option(help="For the record; name nobody in it.")] = "erasure request",
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    as_json: AsJson = False,
) -> None:
    """Take a person's names, values and HR changes out of the trail. It still verifies, and says that it was done."""
    body = _ask("POST", data_dir, api, f"audit/people/{person}/erase", json={"reason": reason})
    if as_json:
        _print_json(body)
    else:
        typer.echo(f"Erased what was personal in {body['records']} records; recorded as {body['proof']}.")


@audit.command("new-log")
def new_log(
    reason: Annotated[str, typer.Option(help="What became of Kafka, for the record.")],
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    as_json: AsJson = False,
) -> None:
    """Go on recording although Kafka lost its data. Every chain says so; what was in Kafka alone is lost."""
    body = _ask("POST", data_dir, api, "audit/newLog", json={"reason": reason})
    if as_json:
        _print_json(body)
    else:
        typer.echo(f"{body['chains']} chains say that the log begins anew, and go on.")


def explain(
    person: Annotated[str, typer.Argument(help="Person id, user principal name or employee id.")],
    package: Annotated[str | None, typer.Argument(help="Package id or exact name. All held, if absent.")] = None,
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    as_json: AsJson = False,
) -> None:
    """Why: HR change -> rule -> assignment -> grant -> membership, each with its time and actor."""
    params = {"person": person, **({"package": package} if package is not None else {})}
    body = _get(data_dir, api, "explain", params)
    if as_json:
        _print_json(body)
        return
    console = Console()
    console.print(plain(body["summary"]), style="bold", highlight=False)
    if not body["value"]:
        return
    table = _table("when", "effective", "what", "by")
    for line in body["value"]:
        actor = line.get("actorName") or line["actor"]
        effective = str(line.get("effectiveAt") or "")[:10]
        table.add_row(_time(line["at"]), effective, plain(line["what"]), plain(actor))
    console.print(table)


def access(
    person: Annotated[str | None, typer.Argument(help="Person id, user principal name or employee id.")] = None,
    package: Annotated[str | None, typer.Option("--package", help="Package id or exact name.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Group id or exact name.")] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="Date-time, UTC unless it says otherwise, or a date: the end of that day. Now."),
    ] = None,
    effective: Annotated[
        bool, typer.Option("--effective", help="By the dates that the sources gave, not by when Tenure knew.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As a table for spreadsheets.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
) -> None:
    """Who had what at a moment: of a person, of a package or of a group."""
    asked = {"person": person, "package": package, "group": group, "at": at}
    params = {name: value for name, value in asked.items() if value is not None}
    if not params.keys() & {"person", "package", "group"}:
        raise CommandFailed("Say whose access, or to what: a person, --package or --group.")
    body = _get(data_dir, api, "access", {**params, "basis": "effective" if effective else "record"})
    if as_json:
        _print_json(body)
        return
    if as_csv:
        typer.echo(as_table(body["value"]), nl=False)
    else:
        _print_access(body)
    if "hint" in body:
        typer.echo(body["hint"], err=True)


COLUMNS = (
    "employeeId", "userPrincipalName", "displayName", "personId", "package", "packageId", "group", "groupId", "policy",
    "from", "to", "effectiveFrom", "effectiveTo", "actor", "endActor", "endReason",
)  # fmt: skip


def as_table(rows: Iterable[dict[str, Any]], columns: Iterable[str] = COLUMNS) -> str:
    """CSV with a line of headings. Text that a spreadsheet would take for a formula is marked as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = tuple(columns)
    writer.writerow(names)
    for row in rows:
        writer.writerow([harmless(row.get(name)) for name in names])
    return text.getvalue()


def proven(lines: Iterable[str | bytes], checkpoints: Iterable[str | bytes] = (), key: str | None = None) -> Verdict:
    """Prove an export (`tenure audit export`): keys and checkpoints come before records there.

    `checkpoints`: further ones that were kept elsewhere. `key`: the only public key to trust, hex; else those in the
    export, which only shows that it agrees with itself. Raises CommandFailed for what is no export."""
    keys = _trusted(key) if key is not None else {}
    verification: Verification | None = None
    kept = list(_kept(checkpoints))
    for number, line in enumerate(lines, 1):
        try:
            said = json.loads(line)
            kind = said["kind"]
            if kind == "key":
                if key is None:
                    keys[said["keyId"]] = bytes.fromhex(said["publicKey"])
                continue
            if verification is None:
                verification = Verification(authentic_by(keys))
                for one in kept:
                    verification.checkpoint(one)
            if kind == "checkpoint":
                _take_checkpoint(verification, said["checkpoint"])
            else:
                verification.record(dict(said["record"]))
        except (ValueError, KeyError, TypeError) as problem:
            raise CommandFailed(f"Line {number} is not of an export of the trail ({type(problem).__name__}).") from None
    if verification is None:
        raise CommandFailed("This is no export of the trail, or one of an empty trail.")
    return verification.verdict()


def _kept(lines: Iterable[str | bytes]) -> Iterator[Checkpoint]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield Checkpoint.model_validate_json(line)
            except ValueError:
                raise CommandFailed(f"Line {number} of --checkpoints is no checkpoint of the trail.") from None


def _take_checkpoint(verification: Verification, said: Any) -> None:
    try:
        verification.checkpoint(Checkpoint.model_validate(said))
    except ValueError:
        # What lies where a checkpoint should was exported as it was found.
        verification.unreadable(str(said["id"]), NO_CHECKPOINT)


def _trusted(key: str) -> dict[str, bytes]:
    try:
        keys = {key_id_of(bytes.fromhex(key)): bytes.fromhex(key)}
        authentic_by(keys)
    except ValueError:
        raise CommandFailed("--key is no Ed25519 public key: 64 hexadecimal digits.") from None
    return keys


def _print_proof(body: dict[str, Any]) -> None:
    about = (
        f"{body['records']:,} records in {body['chains']} chains, {body['checkpoints']:,} signed checkpoints, "
        f"{body['erased']:,} records erased by the book"
    )
    if body["sound"]:
        typer.echo(f"The trail is sound: {about}.")
    else:
        typer.echo(f"The trail is broken in {body['problemCount']} places ({about}):")
        for problem in body["problems"]:
            typer.echo(f"  {problem['chain']} record {problem['sequence']}: {problem['kind']}: {problem['message']}")
    if body["afterLastCheckpoint"]:
        typer.echo(f"{body['afterLastCheckpoint']:,} records are newer than the last checkpoint of their chain.")


def _print_access(body: dict[str, Any]) -> None:
    console = Console()
    basis = "by effective date" if body["basis"] == "effective" else "as Tenure had it"
    read_as = f" ({body['atMeans']})" if "atMeans" in body else ""
    console.print(f"At {body['at']}{read_as}, {basis}: {len(body['value'])}", style="bold", highlight=False)
    if not body["value"]:
        return
    since, until = ("effectiveFrom", "effectiveTo") if body["basis"] == "effective" else ("from", "to")
    table = _table("who", "name", "what", "from", "to", "by")
    for row in body["value"]:
        what = f"group {row['group'] or row['groupId']}" if row["groupId"] else str(row["package"] or row["packageId"])
        table.add_row(
            plain(row["employeeId"] or row["personId"]),
            plain(row["displayName"] or ""),
            plain(what),
            _time(row[since]),
            _time(row[until]) if row[until] else "",
            plain(row["policy"] or row["actorName"] or row["actor"]),
        )
    console.print(table)


def _time(text: str) -> str:
    return text[:19].replace("T", " ")


def _table(*titles: str) -> Table:
    """Long words are broken, never cut: an address or an id is to be read whole."""
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _print_json(body: dict[str, Any]) -> None:
    typer.echo(json.dumps(body, ensure_ascii=False))


def _get(data_dir: Path, api: str | None, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
    return _ask("GET", data_dir, api, path, params=params)


def _ask(method: str, data_dir: Path, api: str | None, path: str, **how: Any) -> dict[str, Any]:
    base = api_url(data_dir, api)
    try:
        answer = httpx.request(
            method,
            f"{base}/v1.0/tenure/{path}",
            timeout=LONG_S,
            trust_env=False,
            headers=credentials(data_dir, api),
            **how,
        )
    except httpx.HTTPError as problem:
        raise NothingAnswers(f"{base} does not answer: {problem}") from None
    check_token(answer)
    if answer.status_code != httpx.codes.OK:
        raise CommandFailed(_refusal(answer))
    return dict(answer.json())


def _refusal(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.request.url} answered {answer.status_code}."
