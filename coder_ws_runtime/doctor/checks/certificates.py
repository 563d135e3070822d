"""The check of the certificates of authorities, without which no TLS connection is trusted."""

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Remedy, Verdict, failure, found, ok, skipped
from coder_ws_runtime.system import text_file

_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_TOOL = "usr/sbin/update-ca-certificates"
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_HEAD = 65536


@check("network.certificates", "certificates of authorities", needs=[Need.LIVE])
def certificates(context: Context) -> Verdict:
    """The file of the authorities that programs trust has certificates; otherwise TLS connections fail."""
    file = context.layout.root / _BUNDLE
    if not (context.layout.root / _TOOL).exists():
        return skipped("not part of this image")
    content = text_file.read_bytes(file, _HEAD)
    if content and _BEGIN in content:
        return ok("there are some")
    remedy = Remedy("make the file again", (context.as_root("update-ca-certificates --fresh"),))
    problem = (
        "programs trust no server, so TLS connections fail: the file of the authorities is empty or missing"
    )
    evidence = [f"{file}: {'no such file' if content is None else 'no certificate'}"]
    return found([failure("network.certificates-missing", problem, remedy, evidence=evidence)], "")
