"""Parts of the reference that are read from the code while the documentation is built, so that they cannot be wrong."""

from __future__ import annotations

import argparse
import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management import load_command_class
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

COMMANDS = Path(__file__).parents[2] / "django_scheduled_tasks" / "management" / "commands"
DJANGOS_OPTIONS = frozenset(
    {
        *("help", "version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color"),
        "skip_checks",
    }
)
METHODS = ("get", "post", "put", "patch", "delete")


def commands() -> Iterator[str]:
    """Yield a section for each management command, from its own parser."""
    for path in sorted(COMMANDS.glob("[a-z]*.py")):
        command = load_command_class("django_scheduled_tasks", path.stem)
        parser = command.create_parser("manage.py", path.stem)
        actions = [item for item in parser._actions if item.dest not in DJANGOS_OPTIONS]
        usage = " ".join(["python manage.py", path.stem, *(_in_usage(item) for item in actions)])
        yield f"## {path.stem}\n\n{_escape(str(command.help))}\n\n```text\n{usage}\n```\n"
        for item in actions:
            if isinstance(item, argparse._SubParsersAction):
                yield from _subcommands(item)
                continue
            yield from _described(parser, [item])


def _subcommands(action: argparse._SubParsersAction[Any]) -> Iterator[str]:
    """Yield each subcommand with the options that it alone has, and at the end those that all have."""
    parsers = {id(parser): (name, parser) for name, parser in action.choices.items()}
    options = [{_written(item) for item in _own(parser)} for _name, parser in parsers.values()]
    shared = set.intersection(*options) if options else set()
    for name, parser in parsers.values():
        yield f"**`{name}`**: {_escape(str(parser.description))}\n"
        yield from _described(parser, [item for item in _own(parser) if _written(item) not in shared])
    _name, parser = next(iter(parsers.values()))
    yield "With each of them:\n"
    yield from _described(parser, [item for item in _own(parser) if _written(item) in shared])


def _own(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [item for item in parser._actions if item.dest not in DJANGOS_OPTIONS]


def _described(parser: argparse.ArgumentParser, actions: list[argparse.Action]) -> Iterator[str]:
    for item in actions:
        text = parser._get_formatter()._expand_help(item) if item.help else ""
        yield f"`{_written(item)}`\n: {_escape(text)}\n"


def _written(item: argparse.Action) -> str:
    metavar = str(item.metavar or item.dest.upper())
    if item.choices:
        metavar = "{" + ",".join(map(str, item.choices)) + "}"
    if not item.option_strings:
        return metavar
    return ", ".join(item.option_strings) + (f" {metavar}" if item.nargs != 0 else "")


def _in_usage(item: argparse.Action) -> str:
    if not item.option_strings:
        return str(item.metavar or item.dest.upper())
    return f"[{_written(item)}]" + (" …" if isinstance(item, argparse._AppendAction) else "")


def checks() -> Iterator[str]:
    """Yield a row for each system check: its id, what it says, and its hint, from the source of the messages."""
    import django_scheduled_tasks.checks as package  # noqa: PLC0415

    yield "| id | says |\n|---|---|"
    found: dict[str, str] = {}
    for module in _modules(package):
        docstrings = {}
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.FunctionDef):
                docstrings |= dict(re.findall(r"([EW]\d{3}): ([^\n]+)", ast.get_docstring(node) or ""))
            if isinstance(node, ast.Constant) and re.fullmatch(r"scheduled_tasks\.[EW]\d{3}", str(node.value)):
                found.setdefault(str(node.value), "")
        found |= {f"scheduled_tasks.{key}": text for key, text in docstrings.items()}
    for key, text in sorted(found.items()):
        yield f"| `{key}` | {_escape(text)} |"


def _modules(package: Any) -> list[Any]:
    if not hasattr(package, "__path__"):
        return [package]
    import importlib  # noqa: PLC0415
    import pkgutil  # noqa: PLC0415

    names = [item.name for item in pkgutil.iter_modules(package.__path__)]
    return [package, *(importlib.import_module(f"{package.__name__}.{name}") for name in names)]


def rest_calls() -> Iterator[str]:
    """Yield a section for each call of the REST API, from its OpenAPI schema."""
    schema = openapi()
    for path, calls in sorted(schema["paths"].items()):
        for method in METHODS:
            if method in calls:
                yield from _call(method, path, calls[method], schema)


def openapi() -> dict[str, Any]:
    """Return the OpenAPI schema of the API."""
    from drf_spectacular.generators import SchemaGenerator  # noqa: PLC0415

    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    prefix = "/api/scheduled-tasks/"
    schema["paths"] = {
        path.removeprefix(prefix): calls for path, calls in schema["paths"].items() if path.startswith(prefix)
    }
    return schema


def _call(method: str, path: str, call: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`\n\n{call.get('description', '')}\n"
    for item in call.get("parameters", ()):
        if item["in"] != "path":
            where = "header" if item["in"] == "header" else "query"
            text = _text(item, schema)
            yield f"`{item['name']}` ({where}{_type(item['schema'], schema)})" + (f"\n: {text}\n" if text else "\n")
    yield from _body(method, path, call, schema)
    yield from _answers(call)


def _body(method: str, path: str, call: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if not body:
        return
    if method in {"put", "patch"}:  # the same as what creates it
        yield f"Body: as for `POST {path.rpartition('{')[0]}`.\n"
        return
    resolved, others = _resolve(body, schema), []
    for name, part in resolved.get("properties", {}).items():
        text = _text(part, schema)
        if not part.get("readOnly") and text:
            needed = ", required" if name in resolved.get("required", ()) else ""
            yield f"`{name}` (body{_type(part, schema)}{needed})\n: {text}\n"
        elif not part.get("readOnly"):
            others.append(f"`{name}`")
    if others:
        yield f"Further keys of the body: {', '.join(others)}.\n"


def _answers(call: dict[str, Any]) -> Iterator[str]:
    said, numbers = [], []
    for code, answer in call["responses"].items():
        if code.startswith("4"):
            numbers.append(code)
        else:
            said.append(f"{code} {_escape(answer.get('description', ''))}".strip().rstrip("."))
    refused = f" Refused with {', '.join(numbers)}." if numbers else ""
    yield f"Answers {'; '.join(said)}.{refused}\n"


def _text(item: dict[str, Any], schema: dict[str, Any]) -> str:
    text = item.get("description") or _resolve(item, schema).get("description") or ""
    # drf-spectacular adds a list of choices, which stands in the type already.
    return _escape(text.partition("\n\n* `")[0].partition("* `")[0].strip().replace("\n", " "))


def _type(item: dict[str, Any], schema: dict[str, Any]) -> str:
    resolved = _resolve(item, schema)
    if "enum" in resolved:
        return ", " + " / ".join(f"`{value}`" for value in resolved["enum"] if value)
    kind = resolved.get("format") or resolved.get("type")
    return f", {kind}" if isinstance(kind, str) else ""


def _resolve(item: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for key in ("allOf", "oneOf"):
        if key in item:
            return _resolve(item[key][0], schema)
    if "$ref" in item:
        found: dict[str, Any] = schema["components"]["schemas"][item["$ref"].rpartition("/")[2]]
        return _resolve(found, schema)
    return item


def _escape(text: str) -> str:
    return re.sub(r"([<>*|])", r"\\\1", text)


class Generated(SphinxDirective):
    """Inserts one of the parts above, as MyST Markdown."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse what the function of that name yields."""
        self.env.note_reread()  # the code may have changed though the page has not
        part = {"commands": commands, "checks": checks, "rest": rest_calls}[self.arguments[0]]
        return self.parse_text_to_nodes("\n".join(part()) + "\n", allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True}
