"""Secrets of the kinds that programs use today, made up by the tests: the forms are real, the values random.

They are put together here, so that no scanner takes them for real ones.

Over 300 lines, because it is a table: one line for each kind of secret, and each form that it is shown in.
"""

import base64
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

_RANDOM = random.Random("secrets of the tests")  # the same in every run

_LETTERS = string.ascii_letters + string.digits
_BASE64 = _LETTERS + "+/"
_BASE64_URL = _LETTERS + "-_"
_HEX = "0123456789abcdef"
_BASE32 = string.ascii_uppercase + "234567"


def _some(alphabet: str, count: int) -> str:
    return "".join(_RANDOM.choice(alphabet) for _ in range(count))


@dataclass(frozen=True)
class Secret:
    """A secret and a line, or several, in which a program shows it."""

    kind: str
    parts: tuple[str, ...]
    """What must not be left: the secret, of one with several lines each line."""
    shown: str


def _one(kind: str, value: str, form: str = "{}") -> Secret:
    return Secret(kind, (value,), form.replace("{}", value))


def _uuid() -> str:
    return "-".join(_some(_HEX, count) for count in (8, 4, 4, 4, 12))


def _jwt() -> str:
    return ".".join(
        [
            base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
            .decode()
            .rstrip("="),
            _some(_BASE64_URL, 60),
            _some(_BASE64_URL, 43),
        ]
    )


def _pem(kind: str) -> tuple[tuple[str, ...], str]:
    lines = [*(_some(_BASE64, 64) for _ in range(4)), _some(_BASE64, 11) + "="]
    return tuple(lines), "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])


def _wrapped(text: str, width: int = 76) -> tuple[tuple[str, ...], str]:
    encoded = base64.b64encode(text.encode()).decode()
    lines = tuple(encoded[at : at + width] for at in range(0, len(encoded), width))
    return lines, "\n".join(lines)


def _tokens() -> list[Secret]:
    """Tokens by themselves, in a sentence that does not announce them."""
    said = "using {} from the configuration"
    made = {
        "AWS access key id": "AKIA" + _some(_BASE32, 16),
        "AWS temporary access key id": "ASIA" + _some(_BASE32, 16),
        "AWS secret access key": _some(_BASE64, 40),
        "AWS session token": _some(_BASE64, 340) + "==",
        "GCP API key": "AIza" + _some(_BASE64_URL, 35),
        "GCP OAuth token": "ya29." + _some(_BASE64_URL, 120),
        "GCP OAuth client secret": "GOCSPX-" + _some(_BASE64_URL, 28),
        "Azure client secret": _some(_LETTERS, 3) + "8Q~" + _some(_BASE64_URL, 34),
        "Azure storage key": _some(_BASE64, 86) + "==",
        "GitHub classic": "ghp_" + _some(_LETTERS, 36),
        "GitHub fine-grained": f"github_pat_{_some(_LETTERS, 22)}_{_some(_LETTERS, 59)}",
        "GitHub app": "ghs_" + _some(_LETTERS, 36),
        "GitHub old": _some(_HEX, 40),
        "GitLab": "glpat-" + _some(_BASE64_URL, 20),
        "GitLab runner": "glrt-" + _some(_BASE64_URL, 20),
        "Slack bot": f"xoxb-{_some(string.digits, 12)}-{_some(string.digits, 12)}-{_some(_LETTERS, 24)}",
        "Slack app": f"xapp-1-A{_some(_BASE32, 10)}-{_some(string.digits, 13)}-{_some(_HEX, 64)}",
        "Slack webhook": "https://hooks.slack.com/services/T0A1B2C3D/B9Z8Y7X6W/" + _some(_LETTERS, 24),
        "Stripe": "sk_live_" + _some(_LETTERS, 24),
        "Stripe webhook": "whsec_" + _some(_LETTERS, 32),
        "npm": "npm_" + _some(_LETTERS, 36),
        "PyPI": "pypi-AgEIcHlwaS5vcmc" + _some(_BASE64_URL, 80),
        "RubyGems": "rubygems_" + _some(_HEX, 48),
        "crates.io": "cio" + _some(_LETTERS, 32),
        "NuGet": "oy2" + _some(string.ascii_lowercase + string.digits, 43),
        "Docker Hub": "dckr_pat_" + _some(_BASE64_URL, 27),
        "Vault": "hvs." + _some(_BASE64_URL, 90),
        "Vault batch": "hvb." + _some(_BASE64_URL, 130),
        "Anthropic": "sk-ant-api03-" + _some(_BASE64_URL, 93) + "AA",
        "OpenAI": "sk-proj-" + _some(_BASE64_URL, 74),
        "Hugging Face": "hf_" + _some(_LETTERS, 34),
        "DigitalOcean": "dop_v1_" + _some(_HEX, 64),
        "SendGrid": f"SG.{_some(_BASE64_URL, 22)}.{_some(_BASE64_URL, 43)}",
        "Twilio": "SK" + _some(_HEX, 32),
        "Datadog": _some(_HEX, 32),
        "Heroku": _uuid(),
        "Shopify": "shpat_" + _some(_HEX, 32),
        "Databricks": "dapi" + _some(_HEX, 32),
        "Grafana": f"glsa_{_some(_LETTERS, 32)}_{_some(_HEX, 8)}",
        "Atlassian": "ATATT3xFfGF0" + _some(_BASE64_URL, 180),
        "Linear": "lin_api_" + _some(_LETTERS, 40),
        "Telegram": f"{_some(string.digits, 10)}:AA{_some(_BASE64_URL, 33)}",
        "Cloudflare": _some(_BASE64_URL, 40),
        "Terraform Cloud": f"{_some(_LETTERS, 14)}.atlasv1.{_some(_LETTERS, 67)}",
        "Kubernetes": _jwt(),
        "JWT": _jwt(),
        "Coder session": f"{_some(_LETTERS, 10)}-{_some(_LETTERS, 22)}",
        "age": "AGE-SECRET-KEY-1" + _some(_BASE32, 58),
        "WireGuard": _some(_BASE64, 43) + "=",
        "TOTP seed": _some(_BASE32, 32),
        "password hash": f"$6${_some(_LETTERS, 16)}${_some(_LETTERS + './', 86)}",
        "bcrypt hash": f"$2b$12${_some(_LETTERS + './', 53)}",
        "licence key": "-".join(_some(_BASE32, 3) + _some("23456789", 2) for _ in range(5)),
    }
    return [_one(kind, value, said) for kind, value in made.items()]


# What people choose; nothing in the form tells that it is a secret.
_WORDS = ("Sommer", "correct", "horse", "hunter", "Passwort")


def _chosen() -> str:
    return f"{_RANDOM.choice(_WORDS)}{_some(string.digits, 2)}{_RANDOM.choice('!$%?')}{_some(_LETTERS, 3)}"


def _announced() -> list[Secret]:
    """Secrets of any form, by what stands before them."""
    forms = {
        "variable": "export DB_PASSWORD={}",
        "lower case variable": "db_pass={}",
        "variable without separators": "PGPASSWORD={} psql",
        "option": "restic --password {} backup",
        "option with =": "tool --api-key={} --verbose",
        "option with a quoted value": "tool --token '{}' --verbose",
        "single dash": "java -keystore a -password {} -jar b.jar",
        "mysql -p": "+ mysql -u ada -p{} -h db shop",
        "sshpass": "+ sshpass -p {} ssh ada@host",
        "redis-cli": "+ redis-cli -h cache -a {} ping",
        "docker login": "+ docker login -u ada -p {} registry.example",
        "curl -u": "+ curl -u ada:{} https://api.example/v1",
        "curl --user": "+ curl --user ada:{} https://api.example/v1",
        "basic-auth URL": "cloning https://ada:{}@git.example/a.git",
        "basic-auth URL of a proxy": "http_proxy=http://ada:{}@proxy.example:3128",
        "URL without a user": "connecting to redis://:{}@cache:6379/0",
        "postgres": "dsn postgres://ada:{}@db:5432/shop?sslmode=disable",
        "mongodb": "MONGO=mongodb+srv://ada:{}@cluster0.example/test",
        "amqp": "amqp://ada:{}@queue//",
        "jdbc": "jdbc:oracle:thin:scott/{}@//db:1521/x",
        "ADO connection string": "Server=db;Database=x;User Id=sa;Password={};Encrypt=true",
        "login without scheme": "pushing to ada:{}@registry.example/app",
        "Authorization Basic": "Authorization: Basic {}",
        "Authorization Bearer": "> authorization: Bearer {}",
        "Authorization token": "curl -H 'Authorization: token {}' https://x.example",
        "X-Api-Key": "x-api-key: {}",
        "PRIVATE-TOKEN": "PRIVATE-TOKEN: {}",
        "Coder-Session-Token": "Coder-Session-Token: {}",
        "cookie": "Cookie: theme=dark; session={}",
        "Set-Cookie": "set-cookie: sid={}; Path=/; HttpOnly",
        "netrc": "machine git.example login ada password {}",
        "npmrc": "//registry.npmjs.org/:_authToken={}",
        "npmrc, old": "_auth = {}",
        "pip.conf": "index-url = https://ada:{}@pypi.example/simple",
        "AWS credentials": "aws_secret_access_key = {}",
        "docker auths": '{"auths": {"ghcr.io": {"auth": "{}"}}}',
        "JSON": '{"user": "ada", "apiKey": "{}", "retries": 3}',
        "JSON in JSON": '{"msg": "login {\\"session_token\\": \\"{}\\"}"}',
        "Python": "config: {'user': 'ada', 'password': '{}'}",
        "Go": "login failed for {User:ada Password:{} Host:db}",
        "Ruby": ":password => '{}'",
        "XML": "<password>{}</password>",
        "YAML": "  db_password: {}",
        "YAML, quoted": '  "client_secret": "{}"',
        "TOML": "secret_key = '{}'",
        "INI": "[db]\nuser = ada\npasswd = {}",
        "properties": "spring.datasource.password={}",
        "tfvars": 'db_password = "{}"',
        "query": "GET /callback?state=1&access_token={}&x=1 200",
        "query of a URL": "GET https://x.example/callback?code=4&id_token={}",
        "fragment": "https://x.example/#access_token={}",
        "SAS": "https://x.blob.example/c?sv=2022&sig={}",
        "sentence": "the password {} was rejected",
        "sentence with is": "the new password is {}",
        "question and answer": "Password for 'ada': {}",
        "SQL": "CREATE USER ada IDENTIFIED BY '{}'",
        "PIN": "pin: {}",
        "one-time password": "otp={}",
        "passphrase": "Enter passphrase for key '/home/coder/.ssh/id_ed25519': {}",
        "pgpass": "db:5432:shop:ada:{}",
        "GPG": "+ gpg --batch --passphrase {} -d a.gpg",
        "openssl": "+ openssl rsa -passin pass:{} -in a.pem",
        "colours": "\x1b[36mtoken\x1b[0m=\x1b[32m{}\x1b[0m",
        "Vault AppRole": "secret_id={}",
        "kubectl": "kubectl create secret generic db --from-literal=password={}",
        "helm": "helm upgrade x --set auth.password={}",
        "Terraform": "TF_VAR_db_password={}",
        "crypto": "private key {}",
        "piped into docker login": "+ echo {} | docker login -u ada --password-stdin",
        "piped into chpasswd": "echo 'ada:{}' | sudo chpasswd",
        "here-string": "docker login --password-stdin <<< {}",
        "Kubernetes variable": "- name: DB_PASSWORD\n  value: {}\n- name: USER\n  value: ada",
        "Kubernetes variable, JSON": '{\n "name": "DB_TOKEN",\n "value": "{}"\n}',
        "Kubernetes variable, one line": '{"name":"DB_PASSWORD","value":"{}"}',
        "Docker variables": '"Env": ["A=b", "DB_PASSWORD={}"]',
        "form": "username=ada&password={}&submit=1",
        "redis.conf": "requirepass {}",
        "redis AUTH": "AUTH {}",
        "device code": "enter the one-time code {} at https://github.com/login/device",
        "git header": 'http.extraheader "AUTHORIZATION: basic {}"',
        "GitHub Actions checkout": "https://x-access-token:{}@github.com/a/b",
        "oauth2 in an address": "https://oauth2:{}@gitlab.example/a.git",
        "AWS signature": "Authorization: AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature={}",
        "Laravel": "APP_KEY=base64:{}",
        "German": "Das Kennwort lautet {}",
        "escaped operator": '{"url": "a?token\\u003d{}"}',
        "credentials in a sentence": "trying credentials ada:{}",
        "wpa": 'psk="{}"',
    }
    return [_one(kind, _chosen(), form) for kind, form in forms.items()]


def _hidden() -> list[Secret]:
    """Secrets that are escaped, spread over lines, or have blanks and quotes."""
    value = _chosen() + "%/&"
    made = [
        Secret(
            "percent-encoded",
            (quote(value, safe=""),),
            f"url=https%3A%2F%2Fada%3A{quote(value, safe='')}%40db",
        )
    ]
    value = _chosen()
    made.append(Secret("percent-encoded name", (value,), f"q=password%3D{value}"))
    words = ("violet", "armadillo", "seven", "trumpets")
    made += [
        Secret("blanks, quoted", words, f'password: "{" ".join(words)}"'),
        Secret("blanks, not quoted", words, f"password: {' '.join(words)}"),
        Secret("blanks, variable", words, f"export APP_SECRET='{' '.join(words)}' && run"),
        Secret("quotes inside", words, f'token="{words[0]}\\"{words[1]} {words[2]}\\" {words[3]}"'),
        Secret("several lines, quoted", words, f'password="{words[0]}\n{words[1]}\n{words[2]} {words[3]}"'),
        Secret(
            "YAML block",
            words,
            f"password: |\n  {words[0]} {words[1]}\n  {words[2]}\n  {words[3]}\nuser: ada",
        ),
        Secret("YAML list", words[:2], f"tokens:\n- {words[0]}\n- {words[1]}\nuser: ada"),
        Secret("YAML, next line", words[:1], f"password:\n  {words[0]}\nuser: ada"),
        Secret(
            "JSON, several lines",
            words[:2],
            f'{{\n  "passwords": [\n    "{words[0]}",\n    "{words[1]}"\n  ]\n}}',
        ),
        Secret("continued line", words[:1], f"tool --password \\\n  {words[0]}"),
        Secret("option in JSON", words[:1], f'["tool", "--password", "{words[0]}"]'),
    ]
    for kind in ("RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PRIVATE KEY", "PGP PRIVATE KEY BLOCK"):
        lines, text = _pem(kind)
        made.append(Secret(kind, lines, text))
        made.append(Secret(f"{kind}, one line", lines, f'"x": "{text}"'.replace("\n", "\\n")))
        made.append(Secret(f"{kind}, without its end", lines, text.rpartition("\n")[0]))
        made.append(Secret(f"{kind}, without its beginning", lines, text.partition("\n")[2]))
    kubeconfig = json.dumps({"users": [{"name": "a", "user": {"client-key-data": _some(_BASE64, 300)}}]})
    made.append(Secret("base64 kubeconfig", *_wrapped(kubeconfig)))
    lines, text = _wrapped(kubeconfig, 4000)
    made.append(Secret("base64 kubeconfig, one line", lines, f"kube: {text}"))
    account = {
        "type": "service_account",
        "private_key_id": _some(_HEX, 40),
        "private_key": _pem("PRIVATE KEY")[1],
    }
    parts = (account["private_key_id"], *account["private_key"].splitlines()[1:-1])
    made.append(Secret("GCP service account", parts, json.dumps(account)))
    made.append(Secret("GCP service account, indented", parts, json.dumps(account, indent=2)))
    return made


ALL: tuple[Secret, ...] = (*_tokens(), *_announced(), *_hidden())

Carrier = Callable[[str], str]
CARRIERS: dict[str, Carrier] = {
    "plain": lambda text: text,
    "journal": lambda text: "\n".join(
        f"2026-11-26T03:41:17+0000 dev prog[12]: {line}" for line in text.split("\n")
    ),
    "journal, one message": lambda text: ("2026-11-26T03:41:17+0000 dev prog[12]: " + text).replace(
        "\n", "\n" + " " * len("2026-11-26T03:41:17+0000 dev prog[12]: ")
    ),
    "trace of a shell": lambda text: "+ " + text,
    "JSON log": lambda text: json.dumps({"level": "info", "msg": text, "caller": "a.go:1"}),
    "JSON log in JSON": lambda text: json.dumps({"log": json.dumps({"msg": text}), "stream": "stderr"}),
    "logfmt": lambda text: f"level=info msg={json.dumps(text)} caller=a.go:1",
    "carriage returns": lambda text: text.replace("\n", "\r\n"),
    "indented": lambda text: "\n".join(f"        {line}" for line in text.split("\n")),
    "quoted": lambda text: f"said: «{text}»",
    "end of a long line": lambda text: "step 12 of 99 done. " * 390 + text,
    "beyond a long line": lambda text: "step 12 of 99 done. " * 2000 + text,
}
"""How a text gets into a log."""
