"""`data "coder_parameter"`: what the provider takes and refuses, in its words (coder provider 2.17)."""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from tests.template.standin.servicer import RefusedError

Json = dict[str, Any]

_FORM_TYPES = {
    ("string", True): ("radio", "dropdown"),
    ("string", False): ("input", "textarea"),
    ("number", True): ("radio", "dropdown"),
    ("number", False): ("input", "slider"),
    ("bool", True): ("radio", "dropdown"),
    ("bool", False): ("checkbox", "switch"),
    ("list(string)", True): ("radio", "multi-select"),
    ("list(string)", False): ("tag-select",),
}
# As Go's strconv.ParseBool.
_BOOLS = frozenset(["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"])
_CLASSES = {
    "[:alnum:]": "A-Za-z0-9",
    "[:alpha:]": "A-Za-z",
    "[:cntrl:]": r"\x00-\x1f\x7f",
    "[:digit:]": "0-9",
    "[:space:]": r"\t\n\v\f\r ",
}


def variable(name: str) -> str:
    """The environment variable that has a parameter's value."""
    return "CODER_PARAMETER_" + sha256(name.encode()).hexdigest()


def computed(config: Json, environment: Mapping[str, str]) -> Json:
    """The computed values of a parameter.

    Raises:
        RefusedError: the value or the definition is not acceptable.
    """
    default = config.get("default")
    value = environment.get(variable(config["name"]), default)
    form_type = _form_type(config)
    if value is None and not config.get("validation"):
        text = ""
    else:
        text = value or ""
        name = (
            "Default value"
            if variable(config["name"]) not in environment and default is not None
            else "Value"
        )
        _check_options(config, form_type, text, name)
        if config.get("validation"):
            try:
                _check_validation(config["type"], config["validation"][0], text)
            except ValueError as error:
                raise RefusedError(
                    f"Invalid parameter {name.lower()} according to 'validation' block", str(error)
                ) from None
        _check_type(config["type"], text)
    validation = [
        {**rule, "min_disabled": rule.get("min") is None, "max_disabled": rule.get("max") is None}
        for rule in config.get("validation") or []
    ]
    return {
        "id": sha256(config["name"].encode()).hexdigest()[:32],
        "value": text,
        "form_type": form_type,
        "optional": default is not None,
        "validation": validation,
    }


def _form_type(config: Json) -> str:
    kind, has_options = config["type"], bool(config.get("option"))
    allowed = _FORM_TYPES[kind, has_options]
    asked = config.get("form_type") or allowed[0]
    if asked not in allowed:
        when = ""
        if asked in _FORM_TYPES[kind, not has_options]:
            when = " when options exist" if has_options else " when options do not exist"
        raise RefusedError(
            "Invalid form_type for parameter",
            f'"form_type" attribute={quoted(asked)} is not supported for "type"={quoted(kind)}{when}, '
            f"choose one of [{' '.join(allowed)}]",
        )
    return asked


def _check_options(config: Json, form_type: str, value: str, name: str) -> None:
    options = config.get("option") or []
    for key, title in (("name", "names"), ("value", "values")):
        texts = [option[key] for option in options]
        for text in texts:
            if texts.count(text) > 1:
                raise RefusedError(
                    f"Option {title} must be unique.",
                    f"multiple options found with the same {key} {quoted(text)}",
                )
    texts = [option["value"] for option in options]
    if not texts:
        return
    if form_type == "multi-select":
        chosen = string_list(value)
        if chosen is None:
            raise RefusedError(
                "When using list(string) type, value must be a json encoded list of strings",
                f"value {quoted(value)} is not a valid list of strings",
            )
        missing = [one for one in chosen if one not in texts]
        if missing:
            raise RefusedError(
                f"{name}s must be a valid option",
                f"{name} {quoted(value)} is not a valid option, "
                f"values {quoted(', '.join(missing))} are missing from the options",
            )
    elif value not in texts:
        empty = ". The value is empty, did you forget to set it with a default or from user input?"
        raise RefusedError(
            f"{name} must be a valid option{'' if value else empty}",
            f"the value {quoted(value)} must be defined as one of options",
        )


def _check_validation(kind: str, rule: Json, value: str) -> None:
    if kind != "number":
        for key in ("min", "max"):
            if rule.get(key) is not None:
                raise ValueError(f"a {key} cannot be specified for a {kind} type")
        if rule.get("monotonic"):
            raise ValueError(f"monotonic validation can only be specified for number types, not {kind} types")
    if kind != "string" and rule.get("regex"):
        raise ValueError(f"a regex cannot be specified for a {kind} type")
    if kind == "string" and rule.get("regex"):
        if not rule.get("error"):
            raise ValueError("an error must be specified with a regex validation")
        if not re.search(_python(rule["regex"]), value):
            raise ValueError(
                f"{rule['error']} (value {quoted(value)} does not match {quoted(rule['regex'])})"
            )
    if kind == "number":
        _check_number(rule, value)


def _check_number(rule: Json, value: str) -> None:
    def rendered(instead: str) -> ValueError:
        error = rule.get("error")
        if not error:
            return ValueError(instead)
        for key in ("min", "max"):
            error = error.replace(f"{{{key}}}", str(rule.get(key) or 0))
        return ValueError(error.replace("{value}", value))

    if not re.fullmatch(r"[+-]?[0-9]+", value):
        raise rendered(f"value {quoted(value)} is not a number")
    if rule.get("min") is not None and int(value) < rule["min"]:
        raise rendered(f"value {int(value)} is less than the minimum {rule['min']}")
    if rule.get("max") is not None and int(value) > rule["max"]:
        raise rendered(f"value {int(value)} is more than the maximum {rule['max']}")


def _check_type(kind: str, value: str) -> None:
    wrong = ""
    if kind == "number":
        try:
            float(value)
        except ValueError:
            wrong = f"{quoted(value)} is not a number"
    elif kind == "bool" and value not in _BOOLS:
        wrong = f"{quoted(value)} is not a bool"
    elif kind == "list(string)" and string_list(value) is None:
        wrong = f"value {quoted(value)} is not a valid list of strings"
    if wrong:
        raise RefusedError(f"Parameter value is not of type {quoted(kind)}", wrong)


def string_list(value: str) -> list[str] | None:
    """A JSON list of strings; None if it is something else. `null` is an empty list, as in Go."""
    try:
        parsed = json.loads(value)
    except ValueError:
        return None
    if parsed is None:
        return []
    if isinstance(parsed, list) and all(isinstance(item, str | None) for item in parsed):
        return [item or "" for item in parsed]
    return None


def quoted(text: str) -> str:
    """As Go's %q."""
    return json.dumps(text, ensure_ascii=False)


def _python(regex: str) -> str:
    """Go's regular expression as Python's: character classes by name, and `$` that is only the very end."""
    for name, characters in _CLASSES.items():
        regex = regex.replace(name, characters)
    done, in_class, escaped = "", False, False
    for character in regex:
        done += r"\Z" if character == "$" and not in_class and not escaped else character
        if not escaped and character in "[]":
            in_class = character == "["
        escaped = character == "\\" and not escaped
    return done
