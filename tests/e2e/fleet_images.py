"""Images of a small web service that nobody baked, one of which dies of what its fleet tells it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lab.workbench import Machine
from tests.e2e.registry import EVIDENCE, baked_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.workbench import Workbench

LIVES, DIES = "known = None", "known = {'port'}"
"""Which settings in /etc/web.conf a service knows: all, or it ends at any other."""

SERVICE = """\
import http.server, pathlib, sys

{known}
config = pathlib.Path("/etc/web.conf")
for line in config.read_text().splitlines() if config.exists() else ():
    name = line.partition("=")[0]
    if known is not None and name not in known:
        sys.exit(f"web {version}: unknown setting {{name}} in {{config}}")


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(b"{version}")


http.server.ThreadingHTTPServer(("", 80), Answer).serve_forever()
"""

BUILD = """\
#!/bin/sh
cat > /usr/local/bin/web <<'END'
#!/usr/bin/python3
{service}
END
chmod 755 /usr/local/bin/web
cat > /etc/systemd/system/web.service <<'END'
[Service]
ExecStart=/usr/local/bin/web
StandardError=journal+console
END
systemctl daemon-reload
systemctl start web
"""

FLEET = """\
#!/bin/sh
echo greeting=hello > /etc/web.conf
systemctl start web
"""
"""The fleet's user data. A machine of an image's validation has none, and so no such setting."""


def make(bench: Workbench, role: str, versions: Sequence[str], *, bad: str) -> dict[str, str]:
    """Images of a role that look as if they had passed, whose machines answer GET /health with their version.

    Args:
        bench: A working copy.
        role: The role.
        versions: What they are called.
        bad: The version whose service dies under `FLEET`.

    Returns:
        Version to image.
    """
    ec2 = bench.client("ec2")  # one for all threads: boto3 makes clients in one thread alone
    source = ec2.describe_images(Filters=[{"Name": "name", "Values": ["*-lab"]}])["Images"][0]["ImageId"]

    def image(version: str) -> str:
        known = DIES if version == bad else LIVES
        script = BUILD.format(service=SERVICE.format(version=version, known=known))
        (launched,) = ec2.run_instances(
            ImageId=source, InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=script
        )["Instances"]
        machine = Machine(bench, launched["InstanceId"], launched["PrivateIpAddress"])
        try:
            assert machine.get("/health").text == version
            ec2.stop_instances(InstanceIds=[machine.instance_id])
            tags = {"Role": role, "Validated": EVIDENCE, "ManagedBy": "packer", "BakeKey": "0" * 32}
            made: str = ec2.create_image(
                InstanceId=machine.instance_id, Name=f"{role}-{version}", TagSpecifications=baked_tags(tags)
            )["ImageId"]
            return made
        finally:
            ec2.terminate_instances(InstanceIds=[machine.instance_id])

    with ThreadPoolExecutor(len(versions)) as pool:
        return dict(zip(versions, pool.map(image, versions), strict=True))
