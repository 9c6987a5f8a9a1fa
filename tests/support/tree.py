"""The files of the project as git knows them; what is ignored (`node_modules`, caches, output) is none of them."""

import subprocess
from pathlib import Path


def project_files(root: Path, pattern: str) -> list[Path]:
    """List files that are tracked, or new and not ignored, and that are there.

    Args:
        root: A directory in a git work tree.
        pattern: A git pathspec relative to `root`, such as `deploy/*.py`; its `*` matches subdirectories, too.

    Returns:
        Absolute paths, sorted.

    Raises:
        subprocess.CalledProcessError: `root` is not in a git work tree.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    paths = (root / name for name in set(listed.stdout.split("\0")) if name)
    return sorted(path for path in paths if path.is_file())
