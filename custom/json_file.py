"""JSON files that people edit and other programs write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .errors import UserError


def read_json(path: Path) -> Any:
    """Content of a JSON file in UTF-8, with or without a byte order mark.

    Raises:
        UserError: the file cannot be read, is not JSON (the message says where), or has an object with a key twice, of
            which Python would silently keep the last.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            key = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
            raise UserError(f"{path}: has {json.dumps(key)} twice in one object; keep the right one")
        return content

    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=unique)
    except UserError:
        raise
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}: broken JSON in line {error.lineno}, column {error.colno}: {error.msg}; correct or restore it"
        ) from error
    except RecursionError as error:
        raise UserError(f"{path}: its lists or objects are nested too deeply; correct or restore it") from error
    except (OSError, ValueError) as error:  # of which an encoding that is not UTF-8 is one
        raise UserError(f"{path}: cannot be read ({error}); give a JSON file in UTF-8") from error
