"""Every logging call in the libraries, made runnable, with a secret in place of each of its values."""

import ast
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.support.packages import libraries

SECRET = "S3NT1N3L"
_METHODS = {"debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log"}


@dataclass(frozen=True, slots=True)
class LibraryCall:
    """One logging call.

    Attributes:
        place: File and line.
        constant: Its text, where that is written in the call as it is.
        run: Makes the call on a logger.
    """

    place: str
    constant: str | None
    run: Callable[[logging.Logger], None]


@cache
def library_calls() -> tuple[LibraryCall, ...]:
    """Return all logging calls, by source file."""
    return tuple(call for path, module in libraries().items() for call in _calls(path, module))


def _calls(path: str, module: ast.Module) -> Iterator[LibraryCall]:
    capitals = _capitals(module)
    for node in ast.walk(module):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS):
            continue
        at = 1 if node.func.attr == "log" else 0
        if "log" not in ast.unparse(node.func.value).lower() or len(node.args) <= at:
            continue
        message = node.args[at]
        constant = message.value if isinstance(message, ast.Constant) and isinstance(message.value, str) else None
        place = f"{path}:{node.lineno}"
        yield LibraryCall(place, constant, _runnable(place, node, at, capitals))


def _runnable(place: str, node: ast.Call, at: int, capitals: Mapping[str, str]) -> Callable[[logging.Logger], None]:
    assert isinstance(node.func, ast.Attribute)
    method = node.func.attr if node.func.attr != "log" else "warning"
    message = _Secrets(capitals).visit(node.args[at])
    arguments = [_argument(each) for each in node.args[at + 1 :]]
    keywords = [each for each in node.keywords if each.arg in {"exc_info", "stack_info"}]
    keywords = [ast.keyword(each.arg, ast.Constant(value=True)) for each in keywords]

    def compiled(text: ast.expr) -> Any:
        call = ast.Call(ast.Attribute(ast.Name("logger", ast.Load()), method, ast.Load()), [text, *arguments], keywords)
        made: dict[str, Any] = {**capitals, "secret": SECRET}
        function = ast.parse("def run(logger):\n    pass")
        function.body[0].body = [ast.Expr(call)]  # type: ignore[attr-defined]
        exec(compile(ast.fix_missing_locations(function), place, "exec"), made)  # noqa: S102 - a library's own call
        return made["run"]

    def run(logger: logging.Logger) -> None:
        try:
            raise ValueError(SECRET)  # noqa: TRY301 - for those that log an exception
        except ValueError:
            try:
                compiled(message)(logger)
            except TypeError:  # the message is not composed of texts only
                compiled(ast.Name("secret", ast.Load()))(logger)

    return run


def _argument(node: ast.expr) -> ast.expr:
    secret = ast.Name("secret", ast.Load())
    if isinstance(node, ast.Dict):
        return ast.Dict(keys=node.keys, values=[secret for _ in node.values])
    if isinstance(node, ast.Starred):
        return ast.Starred(ast.Tuple([secret], ast.Load()), ast.Load())
    return secret


class _Secrets(ast.NodeTransformer):
    """Replaces every value in an expression that is not a literal by the secret."""

    def __init__(self, capitals: Mapping[str, str]) -> None:
        self._capitals = capitals

    def visit(self, node: ast.AST) -> Any:  # noqa: PLR0911 - one for each way to put a text together
        match node:
            case ast.Constant(value=str()):
                return node
            case ast.Name(id=name) if name in self._capitals:
                return node
            case ast.Name(id=name) if name.isupper():
                raise AssertionError(f"{name} is logged, and is no constant of a module's source")
            case ast.JoinedStr():
                values: list[ast.expr] = [
                    each if isinstance(each, ast.Constant) else ast.FormattedValue(ast.Name("secret", ast.Load()), -1)
                    for each in node.values
                ]
                return ast.JoinedStr(values)
            case ast.BinOp(op=ast.Add()):
                return ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))
            case ast.BinOp(op=ast.Mod(), right=ast.Tuple(elts=elements)):
                return ast.BinOp(self.visit(node.left), node.op, ast.Tuple([_argument(e) for e in elements]))
            case ast.BinOp(op=ast.Mod()):
                return ast.BinOp(self.visit(node.left), node.op, _argument(node.right))
            case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="format")):
                keywords = [ast.keyword(each.arg, ast.Name("secret", ast.Load())) for each in node.keywords]
                return ast.Call(node.func, [_argument(each) for each in node.args], keywords)
            case _:
                return ast.Name("secret", ast.Load())


def _capitals(module: ast.Module) -> dict[str, str]:
    """Return the constants of a module, including imported ones, whose value is a literal text."""
    found = {}
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))) if name.isupper():
                found[name] = text
            case ast.ImportFrom(module=str(other), names=names, level=0):
                source = libraries().get(f"{other.replace('.', '/')}.py")
                wanted = {each.name for each in names if each.name.isupper() and each.asname is None}
                if source is not None and wanted and source is not module:
                    found.update((name, text) for name, text in _capitals(source).items() if name in wanted)
            case _:
                pass
    return found
