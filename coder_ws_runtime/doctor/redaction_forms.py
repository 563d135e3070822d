"""The form of a word: whether ordinary messages have such words, or it may be a key or a token.

Known forms are kept, and all other long words are removed: new kinds of tokens are invented all the time,
while paths, versions, times and names hardly change their form.
"""

import re
from collections.abc import Collection
from urllib.parse import unquote

from coder_ws_runtime.doctor.redaction_names import find_name

GONE = "[redacted]"

SHORTEST = 10
"""The least length of a word whose form is checked."""

_SHORTEST_PIECE = 10
"""This many letters and digits without a pattern count as part of a key."""
_SUM_OF_PIECES = 16
"""The same, for several pieces: keys may have hyphens."""
_LONGEST_PIECE = 48
_ENCODINGS = 3
"""How often a word may be percent-encoded, one encoding inside the other."""
_LONGEST_WORD = 2048
"""How many characters of a word are checked; the rest is left out."""
_GROUPS = 3
"""This many groups of letters and digits between hyphens, all with both, are a licence or recovery key."""
_DIGITS = 4
"""At the end of a name: IntelliJIdea2024."""
_ACRONYM = 5
_LONGEST_HUMP = 22
_LETTERS_A_HUMP = 4
"""The least average length of the parts of aName, AnotherName; random letters have two."""

# A UUID, and a word that shows that it names something and is not a key.
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_IDENTITY = re.compile(r"(?:\b|_|[a-z])(?i:id)[=:]$")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IP6 = re.compile(r"(?:[0-9a-f]{1,4}:{1,2}){2,7}[0-9a-f]{0,4}(?:[/%]\w+)?", re.IGNORECASE)
_CRYPT = re.compile(r"\$(?:[0-9a-z]{1,2}|argon2\w*|apr1|scrypt)\$\S*")
# Prefixes that the issuers of tokens document.
_PREFIX = re.compile(
    r"(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_|gl[a-z]{1,5}-|glsa_|xox[a-z]-|xapp-|sk-|[srp]k_(?:live|test)_|whsec_|AKIA|ASIA"
    r"|npm_|pypi-|dckr_[a-z]+_|hv[sbr]\.|hf_|AIza|ya29\.|GOCSPX-|SG\.|eyJ|dop_v1_|shp[a-z]{2}_|lin_api_|figd_|ATATT"
    r"|AGE-SECRET-KEY-|PMAK-|rubygems_|sq0[a-z]{3}-|nfp_|sbp_|ntn_|secret_|dapi|dp\.[a-z]+\.|pul-|key-)"
    r"(?=[A-Za-z0-9_/+=.-]{6})"
)
_GROUPED = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z0-9]{4,8}-){3,20}[A-Za-z0-9]{4,12}(?![A-Za-z0-9])")
_MIXED = re.compile(r"[0-9][A-Za-z]|[A-Za-z][0-9]")
_PIECE = re.compile(r"[A-Za-z0-9]+")
_KNOWN = re.compile(
    r"\d{1,19}"
    r"|\d{8}[Tt]\d{4,6}Z?"  # a time
    r"|[a-z]{1,22}|[A-Z]{1,20}"
    r"|[A-Z]?[a-z]{1,20}\d{1,5}"  # python3, sda1
    r"|[A-Z]{1,12}\d{1,5}"
    r"|v?\d{1,9}[A-Za-z]{1,4}"  # 512MiB
    r"|[0-9a-f]{1,12}"  # short ids
    r"|0x[0-9a-f]{1,16}"
)
_HUMPS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_CHANGES = re.compile(r"[a-z]+|[0-9]+")
_MOST_CHANGES = 4
_BASE64 = re.compile(r"[A-Za-z0-9+/]{20,}={0,2}")
_PADDED = re.compile(r"[A-Za-z0-9+/_-]+={1,2}")


def redact_word(word: str, harmless: Collection[str] = ()) -> str:
    """A word without what, judging by its form, may be a secret; a known prefix is kept.

    It takes time linear in the word's length.

    Args:
        word: without spaces and quotes.
        harmless: words that are known not to be secret, e.g. the ID of the workspace.
    """
    if word in harmless:
        return word
    if len(word) > _LONGEST_WORD:
        return f"{redact_word(word[:_LONGEST_WORD], harmless).removesuffix(GONE)}{GONE}"
    if "%" in word:
        word = _redact_escaped(word, harmless)
    if "://" in word:
        word = _redact_address(word)
    elif "@" in word:
        word = _redact_login(word)
    if "?" in word:
        # A query may contain anything, in particular keys.
        before, _, query = word.partition("?")
        word = f"{before}?{GONE}" if "=" in query else word
    return _redact_pieces(word, harmless)


def _redact_escaped(word: str, harmless: Collection[str]) -> str:
    """A percent-encoded word, which may hide what the rules search for."""
    plain = word
    for _ in range(_ENCODINGS):
        plain, before = unquote(plain), plain
        if plain == before:
            return word
        unescaped = plain.replace("%", "")
        if find_name(unescaped, 0) or redact_word(unescaped, harmless) != unescaped:
            return GONE
    return GONE


def _redact_address(word: str) -> str:
    """A URL without the user and the password in it, which may contain any character."""
    scheme, _, rest = word.partition("://")
    user, at, host = rest.rpartition("@")
    if not at or (user.endswith("/") and ":" not in user):  # …/@scope/package
        return word
    if host.startswith("sha256:"):
        return word
    return f"{scheme}://{GONE}@{host}"


def _redact_login(word: str) -> str:
    """``user:password@host`` and ``jdbc:…:user/password@…`` without their password."""
    before, _, after = word.rpartition("@")
    if after.startswith("sha256:") or (":" not in before and not before.startswith("jdbc")):
        return word
    return f"{before.partition(':')[0]}:{GONE}@{after}"


def _redact_pieces(word: str, harmless: Collection[str]) -> str:
    if len(word) < SHORTEST:
        return word
    if _PADDED.fullmatch(word) and not all(map(_is_known, _PIECE.findall(word))):
        return GONE
    begin = _first_secret(word, harmless)
    if begin is None:
        return word
    return GONE if _BASE64.fullmatch(word) and "+" in word else f"{word[:begin]}{GONE}"


def _first_secret(word: str, harmless: Collection[str]) -> int | None:
    """Where the part of a word begins that may be a secret; what comes after it may belong to it."""
    starts = [found.start() for pattern in (_PREFIX, _CRYPT) if (found := pattern.search(word))]
    exempt = _exempt(word, harmless)
    starts += [begin for begin, end in _keys_in_groups(word) if (begin, end) not in exempt]
    limit = min(starts, default=None)
    weak: int | None = None  # where a run of pieces without a pattern begins
    total = 0
    for found in _PIECE.finditer(word):
        begin, end = found.span()
        if limit is not None and begin >= limit:
            return limit if weak is None else min(limit, weak)
        if any(first <= begin and end <= last for first, last in exempt):
            weak, total = None, 0
            continue
        if _is_known(found[0]):
            if end - begin > 2:  # noqa: PLR2004 - shorter ones also occur between the hyphens of keys
                weak, total = None, 0
            continue
        weak = begin if weak is None else weak
        total += end - begin
        if end - begin >= _SHORTEST_PIECE or total >= _SUM_OF_PIECES:
            return weak
    return limit


def _keys_in_groups(word: str) -> list[tuple[int, int]]:
    """The positions of UUIDs and of keys like ``A1B2-C3D4-E5F6-G7H8``."""
    grouped = [
        found.span()
        for found in _GROUPED.finditer(word)
        if sum(bool(_MIXED.search(group)) for group in found[0].split("-")) >= _GROUPS
        and not _UUID.fullmatch(found[0])
    ]
    return grouped + [found.span() for found in _UUID.finditer(word)]


def _exempt(word: str, harmless: Collection[str]) -> list[tuple[int, int]]:
    """Long parts with a known form: digests, addresses, and names that are UUIDs."""
    spans = [found.span() for found in _DIGEST.finditer(word)]
    whole = word.strip("[]")
    if _IP6.fullmatch(whole):
        spans.append((0, len(word)))
    for found in _UUID.finditer(word):
        before = word[max(0, found.start() - 4) : found.start()]
        if found[0] in harmless or _IDENTITY.search(before):
            spans.append(found.span())
    for value in harmless:
        at = word.find(value)
        if at >= 0:
            spans.append((at, at + len(value)))
    return spans


def _is_known(piece: str) -> bool:
    """Whether letters and digits have the form of a word, a number, a version or a short ID."""
    if len(piece) > _LONGEST_PIECE:
        return False
    if _KNOWN.fullmatch(piece):
        return True
    letters = piece.rstrip("0123456789")
    if letters.isalpha():
        humps = _HUMPS.findall(letters)
        return (
            len(letters) >= _LETTERS_A_HUMP * len(humps)
            and len(piece) - len(letters) <= _DIGITS
            and all(len(hump) <= (_ACRONYM if hump.isupper() else _LONGEST_HUMP) for hump in humps)
        )
    return (
        len(piece) < _SHORTEST_PIECE
        and piece == piece.lower()
        and len(_CHANGES.findall(piece)) <= _MOST_CHANGES
    )
