"""Machines of paper, and what is asked of a lab that has them."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"


from lab import account
from lab.layers import LayerStore
from lab.seed import Seed


@dataclass
class PaperMachine:
    """Stands in for `lab.machine.Machine`; keeps what was asked of it."""

    all: ClassVar[dict[str, "PaperMachine"]] = {}

    instance_id: str
    folder: Path
    store: LayerStore
    layers: list[str]
    bridge: str
    cgroup: str
    on_shutdown: Callable[[str], None]
    running: bool = False
    reboots: int = 0
    seeds: list[Seed] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "upper").mkdir(parents=True, exist_ok=True)
        self.all[self.instance_id] = self

    def start(self, seed: Seed) -> None:
        self.running = True
        self.seeds.append(seed)

    def stop(self) -> None:
        self.running = False

    def reboot(self) -> None:
        self.reboots += 1

    def freeze(self, image_id: str) -> None:
        assert not self.running
        self.layers = self.store.freeze(image_id, self.layers, self.folder / "upper")
        (self.folder / "upper").mkdir()

    def destroy(self) -> None:
        self.running = False

    def console(self) -> str:
        return f"console of {self.instance_id}"

    def power_off_from_inside(self) -> None:
        self.running = False
        self.on_shutdown(self.instance_id)


def source(ec2: Any) -> str:
    image_id: str = ec2.describe_images(Owners=[account.SOURCE_OWNER])["Images"][0]["ImageId"]
    return image_id


def run(ec2: Any, **arguments: Any) -> tuple[str, PaperMachine]:
    arguments = {
        "ImageId": source(ec2),
        "MinCount": 1,
        "MaxCount": 1,
        "InstanceType": "t3.micro",
        **arguments,
    }
    instance_id = ec2.run_instances(**arguments)["Instances"][0]["InstanceId"]
    return instance_id, PaperMachine.all[instance_id]
