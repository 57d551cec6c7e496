"""A scan of very many files: what it takes of this machine."""

import json
import subprocess
import sys
from pathlib import Path

from tests.unit.pipeline.scanning.test_imagescan import TOKEN, fill

PROJECT = Path(__file__).parents[4]
PEAKS = """
import json, resource, sys
from pathlib import Path
from tests.unit.pipeline.scanning.test_imagescan import findings

def peak(whose):
    return resource.getrusage(whose).ru_maxrss

touched = []
sys.addaudithook(lambda event, given: event in ("open", "os.mkdir") and touched.append(str(given[0])))
before = peak(resource.RUSAGE_SELF)
found = sorted(findings(Path(sys.argv[1])))
shared = any(path.startswith("/dev/shm/") for path in touched)
print(json.dumps([found, peak(resource.RUSAGE_SELF) - before, peak(resource.RUSAGE_CHILDREN), shared]))
"""
"""The findings in a folder; by how many KiB this process grew; the greatest child's; whether it used /dev/shm."""


def test_fifty_thousand_files_of_nobody(tmp_path: Path) -> None:
    for folder in range(50):
        where = tmp_path / f"srv/{folder}"
        where.mkdir(parents=True)
        for number in range(1000):
            (where / str(number)).write_text(f"{folder} {number}\n")
    fill(tmp_path, {"srv/49/999": f"key={TOKEN}\n", "srv/large": b"\0" * (96 << 20)})
    # In a process of its own: the peaks of this one, and of the children that it has had, may be other tests'.
    done = subprocess.run(
        [sys.executable, "-c", PEAKS, str(tmp_path)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found, grown, children, shared_memory = json.loads(done.stdout)
    assert found == [["aws-access-token", "srv/49/999"]]
    assert grown < 48 * 1024, f"{grown} KiB for 50,000 files"
    assert children < 400 * 1024, f"{children} KiB"
    assert not shared_memory, "where containers have 64 MiB"
