"""Names that announce a secret, and the words that may still follow one in a sentence."""

import re

# One of these anywhere in a name makes it the name of a secret: DB_PASSWORD, sessionToken, clientsecret.
_ANYWHERE = (
    r"(?i:token|secret|passw|kennwort|pass[ _-]?phrase|passcode|requirepass|masterauth|credential"
    r"|(?:api|access|private|signing|encryption|account|licen[sc]e)[ _.-]?key"
    r"|authorization|bearer|connection[ _-]?string|identified by|set-cookie"
    r"|(?:recovery|backup|one-time|verification|device|user|security|pairing|login)[ _-]code)"
    r"|(?<![A-Za-z])AUTH(?= )"
)
# These count only as a whole part of a name: API_KEY and apiKey, but not keyboard and monkey.
_PARTS = (
    r"key|auths?|oauth2?|cookies?|pass|pwd|pw|pin|otp|totp|dsn|sig|signature|pat|jwt|creds?|sid|psk"
    r"|kubeconfig"
)
_CAMEL = "|".join(part[:1].upper() + part[1:] for part in _PARTS.split("|"))
_SESSION = r"session[ _-]?(?:id|key|cookie)"

# A line without any of these in lower case has no such name; checking that first saves time.
_CORES = (
    "token secret pass pw code cred key auth bearer string identified cookie kennwort pin otp dsn sig pat jwt"
    " sid psk kubeconfig"
)
_CORE_WORDS = tuple(_CORES.split())

_STRONG = re.compile(_ANYWHERE)
_NAMED = re.compile(
    rf"(?P<strong>{_ANYWHERE})"
    rf"|(?<![A-Za-z])(?i:(?:{_PARTS}|{_SESSION})s?)(?![a-z])(?<![A-Z](?=[A-Z]))"
    rf"|(?<=[a-z0-9])(?:{_CAMEL})s?(?![a-z])"
)

DIRECTORIES = frozenset({"PWD", "OLDPWD"})
"""The shell's present and previous directory: not passwords, but part of most other paths."""

# What a program prints after the name of a secret if it does not print the secret itself. Any other word of a
# sentence counts as the secret.
_WORDS_TEXT = """
a about access accepted actions added after agent all already also an and another any are as at
authentication authorization available bad be because been before being but by cache cached can cannot
changed check checked client command configured connection connect container could created credential
credentials data default denied did directory disabled docker does done empty enabled environment error
exist exists expected expire expired expires expiring failed failure file files for found from generated
get git given got granted had has have helper here home host http https if in incorrect into invalid is it
its key keys length line loaded local log logged login long longer manager match mismatch missing must
name needed new no none not null of old on only or owner owns password permission permissions please
present provided provider read received refresh refreshed refused rejected removed request required reset
response revoked root run saved see server service session set should so some ssh started stored such sudo
that the their them then there they this to token tokens too try type unable unauthorized unexpected
unknown unset until updated upstream use used user username valid value variable variables verified verify
via volume was were when where which will with without workspace wrong you your
"""
_WORDS = frozenset(_WORDS_TEXT.split())
_SENTENCE_WORD = re.compile(r"[A-Za-z]+(?:n't|'s)?|CODER_AGENT_TOKEN")

# What may follow "name:" instead of a value; the whole rest of the line has to be one of these.
HARMLESS_VALUE = re.compile(
    r"[\s\"'(\[{]*(?:permission denied|no such file or directory|not found|is a directory|not a directory"
    r"|connection refused|operation not permitted|read-only file system|no space left on device"
    r"|input/output error"
    r"|not set|unset|is set|set|missing|expired|invalid|empty|none|null|nil|true|false|yes|no|\[redacted\])?"
    r"[\s\"')\]},.;]*",
    re.IGNORECASE,
)


def is_sensitive(name: str) -> bool:
    """Whether something with this name, e.g. a variable, is a secret.

    Args:
        name: of a variable, a document's key, an option.
    """
    return name not in DIRECTORIES and bool(_NAMED.search(name))


def find_name(text: str, start: int) -> tuple[int, int, bool] | None:
    """The next name of a secret in a line.

    Args:
        text: the line.
        start: where to start.

    Returns:
        where the name begins and ends, and whether it announces a secret in a sentence too
        ("the password hunter2"; "the key hunter2" does not). None if there is no further name.
    """
    if start == 0:
        lower = text.lower()
        if not any(core in lower for core in _CORE_WORDS):
            return None
    found = _NAMED.search(text, start)
    if not found:
        return None
    begin, end = found.span()
    while begin > start and (text[begin - 1].isalnum() or text[begin - 1] in "_-"):
        begin -= 1
    while end < len(text) and (text[end].isalnum() or text[end] in "_-."):
        end += 1
    while end > found.end() and text[end - 1] in ".-":
        end -= 1
    return begin, end, found["strong"] is not None


def is_sentence_word(word: str) -> bool:
    """Whether a word may follow the name of a secret: it is common in messages."""
    bare = word.strip(".,:;!?()[]{}\"'`")
    return not bare or (
        bool(_SENTENCE_WORD.fullmatch(bare))
        and (bare.lower() in _WORDS or bool(_STRONG.fullmatch(bare)) or bare == "CODER_AGENT_TOKEN")
    )
