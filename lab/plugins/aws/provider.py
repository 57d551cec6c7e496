"""The stand-in for `aws`: which types and functions there are."""

from __future__ import annotations

from lab.plugins.aws.image import get_ami
from lab.plugins.aws.instance import Instance, InstanceState
from lab.plugins.aws.key_pair import KeyPair
from lab.plugins.aws.launch_template import LaunchTemplate
from lab.plugins.aws.parameter import Parameter, get_parameter
from lab.plugins.aws.scaling_group import Group
from lab.plugins.aws.security_group import EgressRule, IngressRule, SecurityGroup
from lab.plugins.aws.tag import Tag
from lab.plugins.aws.target_group import TargetGroup
from lab.plugins.server import Plugin, serve

VERSION = "7.51.1"


def plugin() -> Plugin:
    """All of it."""
    return Plugin(
        version=VERSION,
        resources=[
            Tag(), Instance(), InstanceState(), SecurityGroup(), IngressRule(), EgressRule(), KeyPair(),
            LaunchTemplate(), Parameter(), Group(), TargetGroup(),
        ],
        functions={
            "aws:ec2/getAmi:getAmi": get_ami,
            "aws:ssm/getParameter:getParameter": get_parameter,
        },
    )  # fmt: skip


def main() -> None:
    """Run the plugin."""
    serve(lambda _engine: plugin())
