"""What the source and the command line show to the outside, found without naming a module or an identifier."""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

ROOT = Path(__file__).parents[2]
_NOT_SHIPPED = {"tests", "bench"}
_QUERY_LANGUAGE = {"fields", "filter", "stats", "sort", "limit", "by", "as", "and", "or", "in", "asc", "desc"}
_UPPER_SNAKE = re.compile(r"_?[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")


class Asked(dict[str, str]):
    """An environment that remembers which variables were asked for.

    Attributes:
        names: Those.
    """

    def __init__(self, *args: Any, **kwargs: str) -> None:
        super().__init__(*args, **kwargs)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        """As a dict."""
        self.names.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        self.names.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.names.add(str(key))
        return super().__contains__(key)


def shipped_modules() -> list[Path]:
    """Every module of the packages at the top, those apart that only tests, measurements and the build use."""
    packages = sorted({path.parent for path in ROOT.glob("*/__init__.py")})
    return [
        path
        for package in packages
        if package.name not in _NOT_SHIPPED and not package.name.startswith(".")
        for path in sorted(package.rglob("*.py"))
        if "node_modules" not in path.parts
    ]


def upper_snake_words() -> set[str]:
    """Every text in the source that has the form of a variable's name: `AWS_REGION`, `_X_AMZN_TRACE_ID`.

    Without the names of constants for attributes of telemetry: `FAAS_VERSION` for `faas.version`.
    """
    nodes = [node for path in shipped_modules() for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    constants = {id(key) for node in nodes if isinstance(node, ast.Dict) for key in _constants(node)}
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _UPPER_SNAKE.fullmatch(node.value)
        if id(node) not in constants
    }


def _constants(table: ast.Dict) -> Iterator[ast.Constant]:
    for key, value in zip(table.keys, table.values, strict=True):
        match key, value:
            case ast.Constant(value=str(name)) as constant, ast.Constant(value=str(attribute)):
                if attribute != name and attribute.replace(".", "_").upper() == name:
                    yield constant


def commands() -> Mapping[str, set[str]]:
    """Every command of the script that is installed, with its options, arguments and their variables."""
    ((script, target),) = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"].items()
    module = importlib.import_module(f"{target.partition('.')[0]}.cli")  # where the script begins imports nothing else
    (app,) = [each for each in vars(module).values() if isinstance(each, typer.Typer) and each.info.name == script]
    return dict(_commands(script, typer.main.get_command(app)))


def _commands(name: str, command: Any) -> Iterator[tuple[str, set[str]]]:
    if isinstance(command, TyperGroup):
        if command.params:
            yield name, {_written(parameter) for parameter in command.params}
        for word, inner in command.commands.items():
            yield from _commands(f"{name} {word}", inner)
    else:
        yield name, {_written(parameter) for parameter in command.params}


def _written(parameter: Any) -> str:
    """A parameter as a person writes it."""
    names = "/".join(parameter.opts) if parameter.param_type_name == "option" else str(parameter.metavar)
    return f"{names} [{parameter.envvar}]" if parameter.envvar else names


def make_targets() -> set[str]:
    """The described targets: `make help` lists those with `##`, CONTRIBUTING.md those with `#`."""
    return set(re.findall(r"^([a-z-]+):.*  ##? ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def query_words(text: str) -> set[str]:
    """The fields that a Logs Insights query reads, and the columns that it names."""
    without_comments = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    without_texts = re.sub(r'"[^"]*"', "", without_comments)
    without_functions = re.sub(r"\b\w+\(|\b[0-9]+[a-z]", "", without_texts)
    return set(re.findall(r"@?[A-Za-z_][\w.]*", without_functions)) - _QUERY_LANGUAGE
