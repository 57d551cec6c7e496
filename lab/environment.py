"""The environment in which unchanged AWS tools talk to the lab."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from lab import settings as lab_settings

if TYPE_CHECKING:
    from lab.settings import LabSettings

KEY = "lab"
"""The access key id of an identity without a name of its own."""

ONLOOKER = "onlooker"
"""The access key id of an observer, who sees the account as it is and acts at once: no manner touches such a call."""

AUTO_SCALING = "autoscaling"
"""The access key id of Auto Scaling itself, which launches and terminates for its groups."""

CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": "lab"}
"""moto takes any; these are not secret, and no real ones must be used against the lab."""


def variables(settings: LabSettings) -> dict[str, str]:
    """Environment variables, name to value; PATH has the project's own tools first."""
    project = Path(__file__).resolve().parent.parent
    path = [str(project / ".venv/bin"), str(project / ".tools/bin"), os.environ.get("PATH", "")]
    return {
        "GOLDEN_IMAGE_LAB": settings.name,
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_REGION": lab_settings.REGION,
        "AWS_DEFAULT_REGION": lab_settings.REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        **CREDENTIALS,
        "PULUMI_HOME": str(settings.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{settings.backend_dir}",
        "PULUMI_CONFIG_PASSPHRASE": "lab",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        # Packer does not walk into a folder that is a symbolic link.
        "PACKER_PLUGIN_PATH": str((project / ".tools/packer-plugins").resolve()),
        "CHECKPOINT_DISABLE": "1",
        # The Packer plugin's SDK does not read AWS_ENDPOINT_URL; these are variables of the template.
        "PKR_VAR_custom_endpoint_ec2": settings.endpoint,
        "PKR_VAR_skip_credential_validation": "true",
        "PKR_VAR_skip_metadata_api_check": "true",
        "PATH": os.pathsep.join(path),
    }


def install_plugins(settings: LabSettings) -> None:
    """Put the plugin stand-ins and the state's folder in place; does nothing the second time."""
    from lab.plugins.install import install

    settings.backend_dir.mkdir(parents=True, exist_ok=True)
    install(settings.pulumi_home, Path(sys.executable))


def client(settings: LabSettings, service: str, key: str = KEY) -> Any:
    """A boto3 client of the lab; `key` is the access key id, by which the lab tells callers apart."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=settings.endpoint,
        region_name=lab_settings.REGION,
        aws_access_key_id=key,
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
