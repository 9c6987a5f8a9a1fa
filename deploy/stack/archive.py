"""The archive of a function on Lambda's Python runtime: a module, and what it imports of this repository."""

import ast
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def archive(module: str) -> AbstractContextManager[str]:
    """Return `packed` of a module and of all that it imports, each at its own path.

    Args:
        module: The module with the handler.
    """
    return packed({str(path): str(path) for path in files_of(module)})


@contextmanager
def packed(files: Mapping[str, str]) -> Iterator[str]:
    """Yield a folder with copies of files, which CDK copies into the cloud assembly.

    A change of another file makes no new archive.

    Args:
        files: The path in the archive of each, and its path below the root of the repository.
    """
    with tempfile.TemporaryDirectory(prefix="archive-") as folder:
        for name, source in files.items():
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_ROOT / source, target)
        yield folder


def files_of(module: str) -> frozenset[Path]:
    """Return the files of a module and of all that it imports, below the root of the repository."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        for path in _paths(waiting.pop()):
            if path not in found:
                found.add(path)
                waiting += _imported((_ROOT / path).read_text(encoding="utf-8"))
    return frozenset(found)


def _paths(name: str) -> Iterator[Path]:
    """Yield the file of a module, and those of the packages that it is in; nothing for a module of others."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        base = Path(*parts[:count])
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if (_ROOT / path).is_file():
                yield path


def _imported(source: str) -> Iterator[str]:
    """Yield the names that a module imports, also inside functions, but not for types; `from a import b` is `a.b`."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
