"""Safe reading and atomic writing of files that a user names."""

import json
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import IO, Any

from psmodel.errors import BadInput, CannotRun
from psmodel.wording import excerpt, plain

MOST_BYTES = 64 * 2**20
"""A file that people write or that psmodel writes for itself is smaller; measurements may be larger."""
MOST_DEPTH = 32
"""Tables and lists within each other."""
_MOST_DIGITS = 40


def read_bytes(path: Path, *, most: int = MOST_BYTES) -> bytes:
    """All of a regular file.

    Raises
    ------
    BadInput
        If it is missing, is a folder, pipe or device (which might never end), or is larger than `most` bytes.
    """
    name = plain(str(path))
    try:
        # Looked at before it is opened, for opening alone makes some devices move; and again once it is open.
        about = path.stat()
    except (OSError, ValueError) as error:
        raise BadInput(f"{name} cannot be read: {reason(error)}") from None
    _regular(name, about)
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {reason(error)}") from None
    with os.fdopen(file, "rb") as opened:
        try:
            about = os.fstat(file)
            _regular(name, about)
            # Files of /proc say 0 bytes and have more.
            content = b"" if about.st_size > most else opened.read(most + 1)
        except OSError as error:
            raise BadInput(f"{name} cannot be read: {reason(error)}") from None
    if about.st_size > most or len(content) > most:
        raise BadInput(f"{name} has more than {most / 2**20:.0f} MiB; it is no file of this kind")
    return content


def _regular(name: str, about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise BadInput(f"{name} cannot be read: it is {_kind(about)}, and no regular file")


def _kind(about: os.stat_result) -> str:
    kinds = {
        stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
    }  # fmt: skip
    return kinds.get(stat.S_IFMT(about.st_mode), "something else")


def reason(error: OSError | ValueError) -> str:
    """Why the operating system would not."""
    return getattr(error, "strerror", None) or plain(str(error))


def read_text(file: Path | Traversable, source: str = "", *, most: int = MOST_BYTES) -> str:
    """UTF-8 text, with or without a byte order mark; `source` is what a sentence calls the file.

    Raises
    ------
    BadInput
        As `read_bytes`; also if it is not UTF-8.
    """
    content = read_bytes(file, most=most) if isinstance(file, Path) else file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{plain(source or str(file))} cannot be read: it is not UTF-8 text (byte {error.start})"
        ) from None


_TOML = re.compile(
    r'''"""(?:\\.|[^\\])*?"""|\'{3}.*?\'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*|[.=,\[\]{}\n]''', re.DOTALL
)


def _check_nesting(text: str, source: str) -> None:
    """Refuse deep TOML before it is parsed: `tomllib` takes the square of a dotted key's parts, and recursion."""
    depth = dots = 0
    for token in _TOML.finditer(text):
        match token[0]:
            case ".":
                dots += 1
            case "[" | "{":
                depth, dots = depth + 1, 0
            case "]" | "}":
                depth, dots = max(0, depth - 1), 0
            case "=" | "," | "\n":
                dots = 0
        if depth + dots > MOST_DEPTH:
            raise _too_deep(source)


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """TOML as a mapping.

    Raises
    ------
    BadInput
        If there is a mistake in it, it is nested too deeply or has a number of too many digits.
    """
    _check_nesting(text, source)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{plain(source)} is not valid TOML: {excerpt_of(error)}") from None
    except (RecursionError, MemoryError):
        raise _too_deep(source) from None
    except ValueError as error:  # a number of too many digits, a date that does not exist
        raise BadInput(f"{plain(source)} is not valid TOML: {_number_problem(error)}") from None
    _check_values(values, source)
    return values


def parse_value(text: str, source: str) -> Any:
    """A TOML value, or the text itself where it is none (one word need not stand in quotes).

    Raises
    ------
    BadInput
        If it is nested too deeply or has a number of too many digits.

    >>> parse_value("[1, 2]", ""), parse_value("10Gbps", "")
    ([1, 2], '10Gbps')
    """
    if "\n" not in text and "\r" not in text:
        _check_nesting(text, source)
        try:
            values = tomllib.loads(f"value = {text}")
            _check_values(values, source)
            return values["value"]
        except tomllib.TOMLDecodeError:
            pass
        except (RecursionError, MemoryError):
            raise _too_deep(source) from None
        except ValueError as error:
            if isinstance(error, BadInput):
                raise
            raise BadInput(f"{plain(source)}: {_number_problem(error)}") from None
    return text.strip()


def parse_json(text: str | bytes, source: str) -> Any:
    """A JSON value; no key may be given twice, and NaN and infinity are no JSON.

    Raises
    ------
    BadInput
        As `parse_toml`.
    """
    try:
        values = json.loads(text, object_pairs_hook=_once, parse_int=_whole, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise BadInput(f"{plain(source)} is not valid JSON: {excerpt_of(error)}") from None
    except (RecursionError, MemoryError):
        raise _too_deep(source) from None
    except ValueError as error:
        raise BadInput(f"{plain(source)} is not valid JSON: {_number_problem(error)}") from None
    _check_values(values, source)
    return values


def excerpt_of(error: Exception) -> str:
    """What a parser says, on one line."""
    return plain(str(error))[:160]


def _number_problem(error: ValueError) -> str:
    text = excerpt_of(error)
    return f"a number in it has too many digits; {_MOST_DIGITS} are enough" if "digits" in text else text


def _too_deep(source: str) -> BadInput:
    return BadInput(
        f"{plain(source)} is nested too deeply; tables and lists lie at most {MOST_DEPTH} within each other"
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {excerpt(max(keys, key=keys.count))} is given twice; give it once")
    return values


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("too many digits")
    return int(digits)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _check_values(values: Any, source: str) -> None:
    """Refuse what parsers let pass and what would break whoever prints or walks it."""
    level: Sequence[Any] = [values]
    for _ in range(MOST_DEPTH + 1):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
            elif isinstance(value, list):
                below += (inner for inner in value if not isinstance(inner, float))
            elif isinstance(value, int) and abs(value) >= 10**_MOST_DIGITS:
                raise BadInput(f"{plain(source)}: a number in it has more than {_MOST_DIGITS} digits")
        if not below:
            return
        level = below
    raise _too_deep(source)


def writable(path: Path) -> None:
    """See whether `whole` may put a file there, before hours are spent on what goes into it.

    Raises
    ------
    BadInput
        If something else than a regular file is there, or the folder is missing.
    """
    name = plain(str(path))
    try:
        about = path.stat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise BadInput(
                f"{name} cannot be written: there is no folder {plain(str(path.parent))}"
            ) from None
        if path.is_symlink():
            raise BadInput(f"{name} cannot be written: it is a link to nothing") from None
        return
    except (OSError, ValueError) as error:
        raise BadInput(f"{name} cannot be written: {reason(error)}") from None
    if not stat.S_ISREG(about.st_mode):
        raise BadInput(
            f"{name} cannot be written: it is {_kind(about)}, and only a regular file would be replaced"
        )


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the place of `path` once it is complete; a link goes on pointing to it.

    Raises
    ------
    BadInput
        If something else than a regular file is there, or the folder is missing.
    CannotRun
        If it cannot be written (a full or read-only disk); what was there before is untouched.
    """
    writable(path)
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".{target.name[:200]}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            yield file
        partial.replace(target)
    except OSError as error:
        raise CannotRun(f"{plain(str(path))} cannot be written: {reason(error)}") from None
    finally:
        _remove(partial)


def _remove(partial: Path) -> None:
    try:
        partial.unlink(missing_ok=True)
    except OSError:
        return  # on a read-only disk there is nothing to remove, and saying so would hide why
