"""Pages of the reference that are read off the code: every key of a scenario, every command and its options."""

import re
from typing import Any

import click

from psmodel.cli import psmodel
from psmodel.scenario import Scenario
from psmodel.scenario.features import FEATURES
from psmodel.scenario.treatment import Feature

Schema = dict[str, Any]
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def table(headings: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines) + "\n"
    )


def scenario() -> str:
    """Every key of a scenario file, and of the tables in it."""
    schema = Scenario.model_json_schema()
    parts = [_keys(schema)]
    for name, part in sorted(schema["$defs"].items()):
        parts.append(
            f"({name.lower()})=\n\n## {name}\n\n{_prose(part.get('description', ''))}\n\n{_keys(part)}"
        )
    return "\n".join(parts)


def _keys(schema: Schema) -> str:
    needed = set(schema.get("required", ()))
    rows = []
    for key, about in schema["properties"].items():
        if "const" in about and key == "kind":
            default, values = f"`{about['const']}`", "the kind"
        else:
            default = "**needed**" if key in needed else _default(about.get("default"))
            values = _values(about)
        rows.append([f"`{key}`", values, default, _prose(about.get("description", ""), cell=True)])
    return table(["key", "value", "default", "what it is"], rows)


def _default(value: Any) -> str:
    if value is None or value in ([], ""):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, dict):
        return f"`{value.get('value', value)}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _values(about: Schema) -> str:
    """Type, unit and limits of a value, in words."""
    if "$ref" in about:
        name = about["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in about:
        return ", ".join(f"`{value}`" for value in about["enum"])
    if "oneOf" in about:
        return ", ".join(_values(choice) for choice in about["oneOf"])
    examples = about.get("examples", [])
    if "anyOf" in about:
        choices = [choice for choice in about["anyOf"] if choice.get("type") != "null"]
        if any(choice.get("const") == 0 for choice in choices):
            return (
                f"a quantity with its unit, like `{examples[0]}`" if examples else "a quantity with its unit"
            )
        return ", or ".join(dict.fromkeys(_values({"examples": examples, **choice}) for choice in choices))
    if about.get("type") == "array":
        return f"a list: {_values(about['items'])}"
    if about.get("type") in ("integer", "number"):
        kind = "whole number" if about["type"] == "integer" else "number"
        low = about.get("minimum", about.get("ge", about.get("exclusiveMinimum")))
        high = about.get("maximum", about.get("le", about.get("exclusiveMaximum")))
        above = "above " if "exclusiveMinimum" in about else "from "
        below = "below " if "exclusiveMaximum" in about else "to "
        limits = (f" {above}{_number(low)}" if low is not None else "") + (
            f" {below}{_number(high)}" if high else ""
        )
        return kind + limits
    text = next((f"text like `{example}`" for example in examples if isinstance(example, str)), "text")
    return {"boolean": "`true` or `false`", "string": text}.get(about.get("type", ""), "a value")


def _number(value: float) -> str:
    """Digits in groups of three, or a power of ten."""
    if value >= 1e5 and f"{value:.0e}".startswith("1e") and float(f"{value:.0e}") == value:
        return f"10{str(int(f'{value:.0e}'[3:])).translate(_RAISED)}"
    return f"{value:g}" if value < 1e5 else f"{value:.3g}"


def features() -> str:
    """What each predictor and the real run make of every optional feature."""
    rows = []
    for feature in FEATURES:
        claims = [
            f"{treatment.claim}: leaves out {treatment.leaves_out}"
            if treatment.leaves_out
            else treatment.claim
            for treatment in (feature.closed_form, feature.mva)
        ]
        rows.append([f"`{feature.name}`", feature.label, *claims, _real_run(feature)])
    return table(["key", "feature", "closed form", "mean value analysis", "real run"], rows)


def _real_run(feature: Feature) -> str:
    if not feature.real_run:
        return "no"
    return f"yes; none has {feature.real_run_lacks}" if feature.real_run_lacks else "yes"


def _prose(text: str, *, cell: bool = False) -> str:
    text = text.replace("``", "`").replace("<", "&lt;")
    return " ".join(text.split()) if cell else text


def commands() -> str:
    """Every command with its options, as ``--help`` says them."""
    context = click.Context(psmodel, info_name="psmodel")
    parts = []
    for name in psmodel.list_commands(context):
        command = psmodel.get_command(context, name)
        if command is not None:
            parts += _command(command, f"psmodel {name}", level=2)
    return "\n".join(parts)


def _command(command: click.Command, path: str, *, level: int) -> list[str]:
    context = click.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    text = re.sub(r"\n *\b *\n", "\n", command.help or "")
    lines = [f"{'#' * level} {path}\n", f"    {path} {usage}\n", f"{_help(text)}\n"]
    rows = []
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if record is not None:
            rows.append([f"`{record[0]}`", _prose(record[1], cell=True).replace("*", "\\*")])
    if rows:
        lines.append(table(["option", ""], rows))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                lines += _command(inner, f"{path} {name}", level=level + 1)
    return lines


def _help(text: str) -> str:
    """Paragraphs of a help text; those that show commands stay as they are."""
    paragraphs = []
    for paragraph in text.replace("\b", "").split("\n\n"):
        lines = [line.strip() for line in paragraph.strip().splitlines()]
        if lines and all(line.startswith(("psmodel ", "$ ")) for line in lines):
            paragraphs.append("\n".join(f"    {line}" for line in lines))
        else:
            paragraphs.append(_prose(" ".join(lines)))
    return "\n\n".join(paragraphs)
