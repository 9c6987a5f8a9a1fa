"""The archive of the hook before traffic."""

from emulator.environment import PROJECT_ROOT
from tests.repository.test_import_directions import module_file, reached


def test_the_archive_has_the_files_that_the_hook_imports() -> None:
    from deploy.stack.pre_traffic import FILES  # CDK takes seconds: not for collecting tests

    modules = {module_file(name) for name in reached(["deploy.pre_traffic.hook"])} - {None}
    packages = {path.parent / "__init__.py" for path in modules if path is not None}

    needed = {str(path.relative_to(PROJECT_ROOT)) for path in modules | packages if path is not None}
    # The module is at the top of the archive, without its packages.
    assert set(FILES.values()) == needed - {"deploy/__init__.py", "deploy/pre_traffic/__init__.py"}
