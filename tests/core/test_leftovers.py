import subprocess
import sys
from pathlib import Path

from facetalk.core.leftovers import discard_leftovers, started, temporary


def test_files_folders_and_programs_go_at_once(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.touch()
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with temporary(tmp_path / "file") as file, temporary(tmp_path / "folder") as folder, temporary(tmp_path / "none"):
        file.touch()
        (folder / "inside").mkdir(parents=True)
        with started(subprocess.Popen(command)) as process:
            discard_leftovers()
            assert process.wait(timeout=10) < 0
        assert [path.name for path in tmp_path.iterdir()] == ["kept"]
