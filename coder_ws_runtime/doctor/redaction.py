"""Remove secrets from text that leaves the workspace.

The rules keep what is known to be safe, rather than search for what is known to be secret:

- known values from the environment are removed wherever they appear;
- after a name that announces a secret ("token:", "--password", "Bearer"), the rest of the line is removed; in
  a sentence, every word that is not a common word in messages;
- elsewhere, a long word is kept only if it has the form of a path, a version, a time or a name.

Every step takes time linear in the text's length. The whole text is processed before anything is omitted
because of its length.

Over 300 lines, because the rules share the state of one pass over the lines: separate passes could miss a
secret that begins under one rule and ends under another.
"""

import base64
import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from coder_ws_runtime.doctor.redaction_forms import GONE, SHORTEST, redact_word
from coder_ws_runtime.doctor.redaction_names import (
    DIRECTORIES,
    HARMLESS_VALUE,
    find_name,
    is_sensitive,
    is_sentence_word,
)

__all__ = ["GONE", "is_sensitive", "redact", "redact_json", "secrets_of"]

LONGEST_LINE = 8192
"""How many characters of a line are kept; a longer line is data that a program wrote to its log."""

_SHORTEST_VALUE = 4
"""Shorter values are kept: replacing every "yes" in a text would reveal more than it hides."""
_SHORTEST_UNNAMED = 8
"""The same, for variables whose names do not announce a secret."""
_ORDINARY = re.compile(
    r"(?:token|true|false|none|null|yes|no|basic|bearer|default|(?:dis|en)abled)|\d+", re.IGNORECASE
)
_ORDINARY_UNNAMED = re.compile(r"[a-z_-]+|[\d.,:-]+|[~/.].*|[A-Z][a-z]+|.*\.(?:UTF-8|utf8)")

_LONGEST_NAME = 64
_ENCODED_END = re.compile(rf"[A-Za-z0-9+/]{{{_LONGEST_NAME}}}\Z")

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# What journalctl(1) prints before a message: time, host, program.
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\S{1,24} \S{1,64} [^\s:]{1,80}: ")
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}")
_PEM_LINES = 200
_QUOTED_LINES = 200
_BLANKS = (" ", "\t", "'", '"', "`", "\\")
"""What is between the name of a secret and the secret, in a sentence or after an option."""
_OPERATOR = re.compile(r"""["'\\`\]]{0,4}(?:>|[ \t]{0,8}(?:=>|:=|->|=|:|%3[Dd]|%3[Aa]|\\u003[dDaA]))""")
_BLOCK = re.compile(r"\s*[|>][+-]?\d?\s*")
_SPACED = re.compile(r"\S+")
_WORD = re.compile(rf"[^\s\"'`<>()\[\]{{}},;|\\]{{{SHORTEST},}}")
_CHUNK = re.compile(r"[^\s\"'<>`]+")
# The short last line of base64 whose lines are joined, with "\n" between them.
_LAST_OF_ENCODED = re.compile(r"(\[redacted\]\\+)n?[A-Za-z0-9+/]{4,76}={0,2}(?=[\\\"'])")
_LOGIN = re.compile(r"((?:^|\s)(?:-[uU]|--(?:proxy-)?user(?:name)?)[ =]?['\"]?[^\s:'\"]{1,256}:)\S+")
# Programs with a one-letter option for a password.
_PROGRAM = re.compile(
    r"(?<![\w./])(?:[\w./-]{0,64}/)?(?:sshpass|mysql\w*|mariadb\w*|redis-cli|ldap\w+|smbclient|zip|unzip|7z\w?|htpasswd"
    r"|(?:docker|podman|helm|az|oras|skopeo) login|kinit)\s"
)
# What is piped to these is the password, or the user and the password.
_PIPED = re.compile(r"\|[^|]{0,200}(?:password-stdin|chpasswd|sudo -\w{0,8}S|passwd --stdin)")
# Kubernetes and Docker write a variable as "name" and "value", each on its own line.
_VALUE_LINE = re.compile(r"\W*value\W*[=:]", re.IGNORECASE)
_SHORT_OPTION = re.compile(r"\s-(?:[pPwWab]|b[a-zA-Z]*)")
_PGPASS = re.compile(r"(?<![\w.:/-])([\w.*-]{1,99}:(?:\d{2,5}|\*):[\w.*-]{1,64}:[\w.@-]{1,64}:)[^\s:/]\S*")


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """The values in an environment that may be secret: by their names, or because they are unknown.

    Args:
        environment: of a process.
    """
    found = set()
    for name, value in environment.items():
        if is_sensitive(name):
            if len(value) >= _SHORTEST_VALUE and not _ORDINARY.fullmatch(value):
                found.add(value)
                found.update(line for line in value.splitlines() if len(line) >= SHORTEST)
        elif "://" in value and "@" in value:
            user = value.partition("://")[2].rpartition("@")[0]
            found.update(part for part in (user, user.partition(":")[2]) if len(part) >= _SHORTEST_VALUE)
    return found


def secrets_of_unnamed(environment: Mapping[str, str], harmless: Collection[str]) -> set[str]:
    """The values of variables that are not known to be harmless, except ordinary words, paths and numbers.

    Args:
        environment: of a process.
        harmless: names of variables.
    """
    return {
        value
        for name, value in environment.items()
        if name not in harmless and len(value) >= _SHORTEST_UNNAMED and not _ORDINARY_UNNAMED.fullmatch(value)
    }


def redact(text: str, secrets: Iterable[str] = (), harmless: Collection[str] = ()) -> str:
    """`text` without what is secret or may be.

    Args:
        text: any text.
        secrets: values that are known to be secret; they are removed wherever they appear, even escaped or
            encoded.
        harmless: words that are known not to be secret although they look like it.
    """
    for form in sorted({form for value in secrets for form in _forms(value)}, key=len, reverse=True):
        text = text.replace(form, GONE)
    lines = _Lines(harmless)
    return "\n".join(lines.redact(line) for line in text.split("\n"))


def redact_json(
    value: Any,  # noqa: ANN401 - a JSON value
    secrets: Iterable[str] = (),
    harmless: Collection[str] = (),
) -> Any:  # noqa: ANN401 - as above
    """A JSON value in which every string, including keys, is without what may be secret.

    Args:
        value: a JSON value.
        secrets: like for :func:`redact`.
        harmless: like for :func:`redact`.
    """
    known = tuple(secrets)
    if isinstance(value, str):
        return redact(value, known, harmless)
    if isinstance(value, dict):
        return {
            redact(key, known, harmless): GONE
            if is_sensitive(key) and isinstance(inner, str) and inner
            else redact_json(inner, known, harmless)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_json(inner, known, harmless) for inner in value]
    return value


def _forms(value: str) -> set[str]:
    """A value as it is, and in the forms it has in URLs, JSON and HTTP headers."""
    encoded = value.encode(errors="replace")
    return {
        form
        for form in (
            value,
            quote(value, safe=""),
            quote(value),
            quote_plus(value),
            unquote(value),
            json.dumps(value)[1:-1],
            base64.b64encode(encoded).decode().rstrip("="),
            base64.urlsafe_b64encode(encoded).decode().rstrip("="),
        )
        if len(form) >= _SHORTEST_VALUE
    }


class _Lines:
    """Processes lines, and remembers what previous ones began: a PEM key, a quoted value, a block."""

    def __init__(self, harmless: Collection[str]) -> None:
        self._harmless = harmless
        self._stamp = 0
        """The length of the last time, host and program; further lines of a message are indented by that."""
        self._pem = 0
        self._quote = ""
        self._quoted = 0
        self._block: int | None = None
        """The column of a name whose value is on the following lines."""
        self._awaited = False
        """Whether the next line may be the value."""
        self._has_name = False
        """Whether the previous line ended with the name of a secret."""
        self._encoded = False
        """Whether the previous line was one long word that was removed, as in base64."""

    def redact(self, line: str) -> str:
        """A line without secrets, and without its end if it is too long."""
        if "\x1b" in line:
            line = _COLOURS.sub("", line)
        stamp = _STAMP.match(line)
        begin = stamp.end() if stamp else 0
        head = self._words(line[:begin]) if begin else ""
        message = line[begin:]
        self._stamp = begin or self._stamp
        column = _indent(message)
        if not begin and column >= self._stamp:
            column -= self._stamp
        if self._goes_on(message):
            return head + GONE
        inner = self._continued(message, column) if message.strip() else ""
        return head + (self._message(message, column) if inner is None else inner)

    def _goes_on(self, message: str) -> bool:
        """Whether a line belongs to a PEM key or a quoted value that began earlier."""
        if self._pem:
            self._pem = 0 if "-----END" in message else self._pem - 1
            return True
        if self._quote:
            self._quoted -= 1
            if _is_open(message, self._quote) or not self._quoted:
                self._quote = ""
            return True
        return False

    def _continued(self, message: str, column: int) -> str | None:
        """What is left of a line that may be the value of an earlier name; None if it is not."""
        stripped = message.strip()
        if self._block is not None:
            if column > self._block or (column == self._block and stripped.startswith("- ")):
                self._awaited = False
                return GONE
            self._block = None
            if self._awaited:
                self._awaited = False
                return _only_sentence(message)
        has_name, self._has_name = self._has_name, False
        if has_name and (value := _VALUE_LINE.match(message)):
            return f"{message[: value.end()]} {self._value(message[value.end() :], column).lstrip()}"
        if self._encoded and " " not in stripped and not is_sentence_word(stripped):
            return GONE
        return None

    def _message(self, message: str, column: int) -> str:
        self._encoded = False
        shown, rest = message[:LONGEST_LINE], message[LONGEST_LINE:]
        pem = _PEM.search(message)
        if pem:
            self._pem = 0 if "-----END" in message[pem.end() :] else _PEM_LINES
            shown = message[: min(pem.start(), LONGEST_LINE)]
        piped = _PIPED.search(shown) if "|" in shown else None
        if piped:
            return f"{GONE} {self._words(shown[piped.start() :])}"
        cut, end = self._named(shown, message, column)
        if rest and not pem and cut is None:
            self._named(rest[-LONGEST_LINE:], rest[-LONGEST_LINE:], column)  # what its end may begin
        kept = self._words(shown if cut is None else shown[:cut])
        if pem and cut is None:
            end = GONE
        if rest and cut is None and not pem:
            end = f" {GONE}: {len(rest)} more characters of this line"
        self._encoded = kept.strip() == GONE
        return kept + end

    def _named(self, shown: str, message: str, column: int) -> tuple[int | None, str]:
        """Where a secret is announced, and what is left from there on; None if nothing is announced."""
        option = _short_option(shown)
        start = 0
        while found := find_name(shown, start):
            begin, end, strong = found
            if option is not None and option <= begin:
                break
            cut = self._cut(shown, message, found, column)
            if cut is not None:
                return cut
            start = max(end, start + 1)
            if strong and shown[end : end + 1] in _BLANKS and not (begin and shown[begin - 1] in "/~"):
                clause = _harmless_clause(shown, end)
                if clause is None:
                    return end, _only_sentence(shown[end:])
                start = max(start, clause)
        return (None, "") if option is None else (option, f" {GONE}")

    def _cut(
        self, shown: str, message: str, found: tuple[int, int, bool], column: int
    ) -> tuple[int, str] | None:
        """Where the value of a name begins, and what is left of it; None in a sentence."""
        begin, end, _ = found
        operator = _OPERATOR.match(shown, end)
        if shown[begin:end] in DIRECTORIES or (operator and _is_padding(shown, operator.start())):
            return None
        if operator:
            return operator.end(), self._value(message[operator.end() :], column)
        if shown[begin] == "-" and shown[end : end + 1] in _BLANKS:
            if message.rstrip().endswith("\\"):
                self._block, self._awaited = column, True
            return end, f" {GONE}"
        self._has_name = self._has_name or not shown[end:].strip("\"',;]) \t\r")
        return None

    def _value(self, value: str, column: int) -> str:
        """What is left of a value; the following lines may belong to it."""
        bare = value.strip()
        if _BLOCK.fullmatch(value) or bare in ("", "{", "[", "\\", '"', "'"):
            self._block, self._awaited = column, not bare
            if bare in ('"', "'"):
                self._quote, self._quoted = bare, _QUOTED_LINES
            return value
        if HARMLESS_VALUE.fullmatch(value):
            return value
        if bare[0] in "\"'" and _is_open(bare, bare[0]):
            self._quote, self._quoted = bare[0], _QUOTED_LINES
        if bare[-1] in "\\{[|":
            self._block, self._awaited = column, True
        return f" {GONE}" if value[0] in " \t" else GONE

    def _words(self, text: str) -> str:
        """Text in which all long words have known forms."""
        if "@" in text:
            if "://" in text:
                text = _CHUNK.sub(lambda found: self._address(found[0]), text)
            text = _LOGIN.sub(rf"\1{GONE}", text)
        elif ":" in text:
            text = _LOGIN.sub(rf"\1{GONE}", text)
            text = _PGPASS.sub(rf"\1{GONE}", text)
        text = _WORD.sub(lambda found: redact_word(found[0], self._harmless), text)
        return _LAST_OF_ENCODED.sub(rf"\1{GONE}", text)

    def _address(self, chunk: str) -> str:
        """A URL whose password may contain characters that end a word elsewhere."""
        return redact_word(chunk, self._harmless) if "://" in chunk and "@" in chunk else chunk


def _is_padding(line: str, sign: int) -> bool:
    """Whether this "=" is the padding of a long base64 word."""
    if line[sign : sign + 1] != "=" or line[sign:].lstrip("=")[:1].isalnum():
        return False
    return bool(_ENCODED_END.search(line, max(0, sign - _LONGEST_NAME), sign))


def _indent(message: str) -> int:
    return len(message) - len(message.lstrip())


def _is_open(text: str, mark: str) -> bool:
    """Whether a quoted value begins here without its end, or ends here without its beginning."""
    return (text.count(mark) - text.count(f"\\{mark}")) % 2 == 1


def _short_option(line: str) -> int | None:
    """Where the password begins that a program takes as a one-letter option."""
    program = _PROGRAM.search(line)
    option = _SHORT_OPTION.search(line, program.end() - 1) if program else None
    return option.end() if option else None


def _harmless_clause(text: str, start: int) -> int | None:
    """Where the clause that begins here ends, if all of its words are common in messages."""
    for found in _SPACED.finditer(text, start):
        if not is_sentence_word(found[0]):
            return None
        if found[0][-1] in ",;.":
            return found.end()
    return len(text)


def _only_sentence(text: str) -> str:
    """The common words of a sentence; all others may be the secret."""
    kept: list[str] = []
    for word in re.split(r"(\s+)", text):
        new = word if not word.strip() or is_sentence_word(word) else GONE
        if new == GONE and len(kept) > 1 and kept[-2] == GONE:
            kept.pop()
            continue
        kept.append(new)
    return "".join(kept)
