"""Takes secrets out of text that leaves the workspace.

Three nets, one behind the other: the values that the environment holds under telling names, whatever
they look like; values that stand behind a telling name in the text itself; and what looks like a key
or a token by its form. Better to take out too much than too little: the names stay.
"""

import re
from collections.abc import Iterable, Mapping

GONE = "[redacted]"

_NAME = (
    r"(?:token|secret|passw(?:or)?d|passwd|passphrase|pwd|api[-_.]?key|access[-_.]?key|private[-_.]?key|signing[-_.]?key"
    r"|encryption[-_.]?key|credentials?|authorization|auth|cookie|session|bearer|pin|otp|dsn|connection[-_.]?string)"
)

_SENSITIVE = re.compile(
    rf"token|secret|passw|credential|(?:^|[^a-z]){_NAME}s?(?:$|[^a-z])|(?:^|_)KEY$", re.IGNORECASE
)

_SHORTEST = 4
"""Shorter values are left: replacing every 'yes' in a text would say more than it hides."""

_PLAIN = frozenset(
    {"true", "false", "none", "null", "token", "yes", "basic", "bearer", "default", "disabled", "enabled"}
)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Keys in PEM, also on one line with \n written out, also without their end.
    (
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        GONE,
    ),
    # user:password@ in URLs, and a lone token before the @.
    (re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]*://)[^\s/@\"'<>]+@", re.IGNORECASE), rf"\g<keep>{GONE}@"),
    # Authorization: Bearer …, Proxy-Authorization: Basic …
    (
        re.compile(
            r"(?P<keep>\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?:[a-z]+\s+)?)[^\s\"',;]+",
            re.IGNORECASE,
        ),
        rf"\g<keep>{GONE}",
    ),
    (re.compile(r"(?P<keep>\b(?:bearer|basic)\s+)[A-Za-z0-9+/_.~=-]{8,}", re.IGNORECASE), rf"\g<keep>{GONE}"),
    # "any_token": "value with blanks"
    (
        re.compile(
            rf"(?P<keep>(?P<q>\\?[\"'])[\w.-]*{_NAME}[\w.-]*(?P=q)\s*:\s*)(?P<v>\\?[\"'])(?:(?!(?P=v)).)*(?P=v)",
            re.IGNORECASE,
        ),
        rf"\g<keep>\g<v>{GONE}\g<v>",
    ),
    # ANY_TOKEN="value with blanks", any-token: 'value'
    (
        re.compile(
            rf"(?P<keep>[\w.-]*{_NAME}[\w.-]*\s*[=:]\s*)(?P<v>[\"'])(?:(?!(?P=v)).)*(?P=v)", re.IGNORECASE
        ),
        rf"\g<keep>\g<v>{GONE}\g<v>",
    ),
    # ANY_TOKEN=value, ?token=value&…
    (
        re.compile(rf"(?P<keep>[\w.-]*{_NAME}[\w.-]*[ \t]*=[ \t]*)(?![\"'=])[^\s\"'&,;]+", re.IGNORECASE),
        rf"\g<keep>{GONE}",
    ),
    # --token value, password: value, machine … password value (netrc)
    (
        re.compile(
            rf"(?P<keep>(?:--[\w-]*{_NAME}\s+|\b[\w.-]*{_NAME}:\s+|\bpassword\s+))(?![\"'\[])[^\s\"',;]+",
            re.IGNORECASE,
        ),
        rf"\g<keep>{GONE}",
    ),
    # By their form, as their makers document it.
    (re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}"), GONE),
    (re.compile(r"\bgl(?:pat|ptt|rt|dt|oas)-[A-Za-z0-9_-]{16,}"), GONE),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{16,}|\bsk_(?:live|test)_[A-Za-z0-9]{16,}"), GONE),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), GONE),
    (re.compile(r"\bxox[a-z]-[A-Za-z0-9-]{10,}"), GONE),
    (
        re.compile(
            r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{16,}|\bdckr_pat_[A-Za-z0-9_-]{16,}|\bhf_[A-Za-z0-9]{30,}"
        ),
        GONE,
    ),
    (re.compile(r"\bAIza[A-Za-z0-9_-]{35}|\bya29\.[A-Za-z0-9_-]{16,}"), GONE),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"), GONE),
    # Coder's own session tokens: an id of 10 and a secret of 22 characters.
    (re.compile(r"\b[A-Za-z0-9]{10}-[A-Za-z0-9]{22}\b"), GONE),
)


# Where the shell is and was: no password, and part of most other paths.
_DIRECTORIES = frozenset({"PWD", "OLDPWD"})


def is_sensitive(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    if name in _DIRECTORIES:
        return False
    return bool(_SENSITIVE.search(name.replace("_", "-"))) or bool(_SENSITIVE.search(name))


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """The values that an environment holds under telling names."""
    return {
        value
        for name, value in environment.items()
        if is_sensitive(name)
        and len(value) >= _SHORTEST
        and value.lower() not in _PLAIN
        and not value.isdecimal()
    }


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without what is, or looks like, a secret.

    Args:
        text: any text.
        secrets: values that are known to be secret; they are taken out wherever they stand.
    """
    for value in sorted(secrets, key=len, reverse=True):
        text = text.replace(value, GONE)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
