"""An image as teams have it: Debian's packages, an application in a virtual environment, and one of Node.

What pip and npm install is pinned by this project's own lock files, and comes from this machine: a lab's machine knows
how to reach Debian's archive alone.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tools import node
from tools.venv import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = (
    "ansible", "awscli", "curl", "git", "jq", "nodejs", "openssl", "postgresql-client", "python3-pip", "python3-venv",
    "unzip", "vim",
)  # fmt: skip
PYTHON = (
    "blinker", "boto3", "botocore", "certifi", "cffi", "charset-normalizer", "click", "cryptography", "flask", "idna",
    "itsdangerous", "jinja2", "jmespath", "markupsafe", "pycparser", "python-dateutil", "pyyaml", "requests",
    "s3transfer", "six", "urllib3", "werkzeug",
)  # fmt: skip
WHEELS = "var/tmp/wheels"

APP = """import os
import flask

app = flask.Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or os.urandom(32)
DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://app@localhost:5432/app")
DB_PASSWORD = os.environ.get("DB_PASSWORD", "")


@app.get("/")
def index():
    return {"token": flask.request.headers.get("X-Token", "none")}
"""
SETTINGS = """database:
  user: app
  password: ${DB_PASSWORD}
  password_secret: arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/database-AbCdEf
session:
  token_lifetime: 3600
  secret_key_file: /run/credentials/app.service/secret-key
"""
SERVER = """const http = require('http');
const token = process.env.API_TOKEN || '';
http.createServer((request, response) => {
  response.end(request.headers.authorization === `Bearer ${token}` ? 'known' : 'unknown');
}).listen(3000);
"""
UNIT = """[Unit]
After=network.target
[Service]
DynamicUser=yes
EnvironmentFile=-/run/secrets/app.env
Environment=PYTHONDONTWRITEBYTECODE=1
ExecStart={}
Restart=on-failure
[Install]
WantedBy=multi-user.target
"""
UNITS = {
    "app": "/opt/app/bin/python -m flask --app /opt/app/app.py run --port 8000",
    "web": "/usr/bin/node /srv/web/server.js",
}

SCRIPT = f"""
export DEBIAN_FRONTEND=noninteractive
apt-get -q update </dev/null
apt-get -q install --yes --no-install-recommends {" ".join(PACKAGES)} </dev/null
python3 -m venv /opt/app
/opt/app/bin/pip install --quiet --no-index --no-deps --find-links /{WHEELS} {" ".join(PYTHON)}
systemctl enable {" ".join(UNITS)}
"""
"""Installs it on a machine, as root, once what `pack` packs is there."""


def pack(folder: Path) -> Path:
    """An archive (tar) of what the machine gets from here.

    Args:
        folder: For the archive; must exist.
    """
    root = folder / "ordinary"
    _wheels(root / WHEELS)
    shutil.copytree(node.ensure().parents[2], root / "srv/web", symlinks=True)
    written = {
        "opt/app/app.py": APP,
        "opt/app/settings.yaml": SETTINGS,
        "srv/web/server.js": SERVER,
        **{f"etc/systemd/system/{name}.service": UNIT.format(command) for name, command in UNITS.items()},
    }
    for name, text in written.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    packed = folder / "ordinary.tar"
    subprocess.run(
        ["tar", "--owner=0", "--group=0", "-cf", packed, "-C", root, "opt", "srv", "etc", "var"], check=True
    )
    return packed


def _wheels(folder: Path) -> None:
    """Packages of `PYTHON`, as the lock file pins them, for the Python of the machines: this distribution's own."""
    locked = re.split(r"(?m)^(?=[\w-]+==)", (PROJECT / "requirements-dev.txt").read_text())
    wanted = {name: [part for part in locked if part.startswith(f"{name}==")] for name in PYTHON}
    folder.mkdir(parents=True)
    pins = folder.parent / "pins.txt"
    pins.write_text("".join(part for parts in wanted.values() for part in parts))
    version = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print(*sys.version_info[:2], sep='.')"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes",
            f"--python-version={version}", f"--dest={folder}", f"--requirement={pins}",
        ],
        check=True,
    )  # fmt: skip
    pins.unlink()
