"""Coverage-guided fuzzing of the parsers: ``make fuzz-parsers`` (atheris, which has wheels for few systems)."""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports():
    from psmodel.calibration import Calibration
    from psmodel.errors import UserError
    from psmodel.scenario import from_mapping
    from psmodel.storage.atomic import parse_json, parse_toml
    from psmodel.storage.journal import Journal
    from psmodel.units import parse_rate, parse_size, parse_time
    from psmodel.whatif.catalogue import load_catalogue
    from psmodel.whatif.parameter_space import parse_axis

_FOLDER = Path(tempfile.mkdtemp())


def one_input(data: bytes) -> None:
    """The first byte chooses the parser; only a user error may come out."""
    if not data:
        return
    kind, text = data[0] % 6, data[1:].decode("utf-8", "surrogateescape")
    try:
        if kind == 0:
            for parse in (parse_size, parse_rate, parse_time):
                try:
                    parse(text)
                except ValueError:
                    continue
        elif kind == 1:
            parse_axis(text)
        elif kind == 2:
            from_mapping(parse_toml(text, "it"))
        elif kind == 3:
            values = parse_json(text, "it")
            if isinstance(values, dict):
                from_mapping(values)
                Calibration.from_json(values)
        else:
            path = _FOLDER / ("c.toml" if kind == 4 else "j.journal")
            path.write_bytes(data[1:])
            if kind == 4:
                load_catalogue(path)
            else:
                Journal(path).close()
    except UserError:
        pass


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
