"""Images as stacks of layers, so that ten images of one base do not cost ten copies of it.

A layer is a folder that overlayfs stacks: what a machine changed on top of the layers below. Creating an
image freezes the machine's writable folder into a layer and gives the machine a new, empty one on top: no
byte is copied. A layer goes when no image and no machine stands on it any more.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab import kept

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BASE = "base"
"""Name of the bottom layer: the cached base image, outside the lab's own folder."""

INJECTED = (
    "etc/resolv.conf",
    "etc/systemd/network/10-lab.network",
    "var/lib/cloud/seed/nocloud/meta-data",
    "var/lib/cloud/seed/nocloud/user-data",
)
"""What the lab itself writes into a machine at each boot; it belongs to the machine, not to its image."""


@dataclass
class LayerStore:
    """The images that can boot, each a list of layer names from the bottom up."""

    folder: Path
    base: Path
    images: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, base: Path) -> LayerStore:
        """Read the index in `folder`, which is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        store = cls(folder, base)
        if store._index.exists():
            store.images = kept.read(store._index, json.loads)
        return store

    @property
    def _index(self) -> Path:
        return self.folder / "images.json"

    def _save(self) -> None:
        kept.write(self._index, json.dumps(self.images, indent=1).encode())

    def path(self, layer: str) -> Path:
        """Folder of a layer."""
        return self.base if layer == BASE else self.folder / layer

    def lowerdir(self, layers: list[str]) -> str:
        """The layers as overlayfs wants them: topmost first."""
        return ":".join(str(self.path(layer)) for layer in reversed(layers))

    def add(self, image_id: str, layers: list[str]) -> None:
        """Register an image made of `layers` (bottom first)."""
        self.images[image_id] = list(layers)
        self._save()

    def copy(self, image_id: str, source: Path) -> Path:
        """Register an image: a copy of a layer that was made elsewhere, over the base.

        Returns:
            The copy's folder.
        """
        target = self.folder / image_id
        if not target.exists():
            subprocess.run(["cp", "--archive", str(source), str(target)], check=True)
        self.add(image_id, [BASE, image_id])
        return target

    def freeze(self, image_id: str, below: list[str], upper: Path) -> list[str]:
        """Turn a stopped machine's writable folder into the top layer of a new image.

        Args:
            image_id: Id of the new image.
            below: Layers that the machine stands on, bottom first.
            upper: The machine's writable folder; it is moved away.

        Returns:
            The layers of the image, on which the machine stands from now on.
        """
        for name in INJECTED:
            injected = upper / name
            if injected.is_file():
                injected.unlink()
        upper.rename(self.folder / image_id)
        layers = [*below, image_id]
        self.add(image_id, layers)
        return layers

    def drop(self, image_id: str, in_use: Iterable[list[str]]) -> None:
        """Forget an image, and remove each layer that neither another image nor a machine needs.

        Args:
            image_id: The image to forget.
            in_use: The layers of each machine that exists.
        """
        self.images.pop(image_id, None)
        self._save()
        self.collect(in_use)

    def collect(self, in_use: Iterable[list[str]]) -> None:
        """Remove the layers that nothing stands on."""
        needed = {layer for layers in [*self.images.values(), *in_use] for layer in layers}
        for path in self.folder.iterdir():
            if path.is_dir() and path.name not in needed:
                shutil.rmtree(path)
