"""The TypeScript type of the JSON Schema in `docs/event-schema.json`."""

from collections.abc import Iterator, Mapping
from typing import Any

_HEAD = """\
// Generated from event-schema.json. {comment}

/** A field under one of its two spellings, not both. */
type Either<Snake, Camel> =
  | (Snake & {{ [Name in keyof Camel]?: never }})
  | (Camel & {{ [Name in keyof Snake]?: never }});
"""


def typescript(schema: Mapping[str, Any]) -> str:
    """Return the module with the types of the event and of its detail."""
    name = schema["title"][0].upper() + schema["title"][1:]
    detail = schema["definitions"]["detail"]
    envelope = schema["properties"]
    lines = [
        _HEAD.format(comment=schema["$comment"]),
        "/** What a producer sends: JSON.stringify() of it is Detail of the entry of PutEvents. */",
        f"export type {name}Detail =",
        "  & " + "\n  & ".join(_members(detail)) + ";",
        "",
        f"export const {_constant(name)}_SOURCE = {_literal(envelope['source']['const'])};",
        f"export const {_constant(name)}_DETAIL_TYPE = {_literal(envelope['detail-type']['const'])};",
        "",
        f"/** {schema['description'].partition(';')[0]}. */",
        f"export interface {name}Event {{",
        "  id: string;",
        f"  source: typeof {_constant(name)}_SOURCE;",
        f'  "detail-type": typeof {_constant(name)}_DETAIL_TYPE;',
        f"  detail: {name}Detail;",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _members(detail: Mapping[str, Any]) -> Iterator[str]:
    properties = dict(detail["properties"])
    for rule in detail["allOf"]:
        required = "oneOf" in rule
        spellings = [each["required"][0] for each in rule["oneOf"]] if required else rule["not"]["required"]
        types = [_object(name, properties.pop(name), required=required) for name in spellings]
        yield f"Either<{', '.join(types)}>" if len(types) > 1 else types[0]
    for name, rule in properties.items():
        yield _object(name, rule, required=False)


def _object(name: str, rule: Mapping[str, Any], *, required: bool) -> str:
    comment = f"      /** {rule['description']} */\n" if "description" in rule else ""
    return f"{{\n{comment}      {name}{'' if required else '?'}: string{' | null' if 'anyOf' in rule else ''};\n    }}"


def _literal(text: str) -> str:
    return f'"{text}"'


def _constant(name: str) -> str:
    return "".join(f"_{each}" if each.isupper() else each.upper() for each in name).lstrip("_")
