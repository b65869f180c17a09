"""Scripts that import tilebox run unchanged, in processes of their own."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Write a script into a folder and run a command there."""

    def run(script: str, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "script.py").write_text(textwrap.dedent(script), encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "tilebox_celery.compat", *(command or ["script.py"])],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def output(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines of a run that succeeded."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_documents_imports_give_our_modules(run: Run) -> None:
    """Every form of import of a tilebox module gives the very object that tilebox_celery has under that path."""
    done = run("""
        import tilebox.workflows.cache
        import tilebox.workflows.observability.tracing as tracing
        from tilebox.workflows import Task, ExecutionContext, cache
        from tilebox.workflows.cache import InMemoryCache, LocalFileSystemCache
        from tilebox.workflows.observability.logging import configure_console_logging, get_logger
        import tilebox_celery.workflows.cache, tilebox_celery.workflows.observability.tracing, sys
        from tilebox_celery import Task as OurTask
        print(tilebox.workflows.cache is cache is tilebox_celery.workflows.cache)
        print(sys.modules["tilebox.workflows.cache"] is cache)
        print(tracing is tilebox_celery.workflows.observability.tracing, Task is OurTask)
        print(cache.__name__, cache.__spec__.name, InMemoryCache.__module__)
    """)

    assert output(done) == [
        "True",
        "True",
        "True True",
        "tilebox_celery.workflows.cache tilebox_celery.workflows.cache tilebox_celery.caches.memory",
    ]


def test_modules_imported_before_are_not_loaded_twice(run: Run) -> None:
    """A module that is already there under our name is used, and reloading it by our name still works."""
    done = run("""
        import importlib
        import tilebox_celery.caches.memory as ours
        import tilebox.caches.memory as theirs
        print(ours is theirs, importlib.reload(ours) is ours)
    """)

    assert output(done) == ["True True"]


def test_modules_that_have_moved_are_found(run: Run) -> None:
    """A module whose counterpart has another path is found, with the packages on the way."""
    done = run("""
        from _tilebox.grpc.error import AuthenticationError, NotFoundError
        import tilebox_celery.errors
        print(NotFoundError is tilebox_celery.errors.NotFoundError, issubclass(AuthenticationError, OSError))
    """)

    assert output(done) == ["True True"]


@pytest.mark.parametrize("name", ["tilebox.nothing", "tilebox.workflows.nothing", "tilebox.nothing.deep", "_tilebox.x"])
def test_what_we_do_not_have_is_one_sentence(run: Run, name: str) -> None:
    """A module without counterpart is a ModuleNotFoundError that says so, and scripts may catch it."""
    missing = "tilebox.nothing" if name == "tilebox.nothing.deep" else name

    done = run(f"""
        try:
            import {name}
        except ModuleNotFoundError as error:
            print(error.name)
            print(error)
    """)

    sentence = "tilebox_celery has no counterpart of it, so a script that needs it cannot run here."
    assert output(done) == [missing, f"No module named '{missing}': {sentence}"]


def test_an_error_inside_a_module_of_ours_is_shown_as_it_is(run: Run, tmp_path: Path) -> None:
    """If a counterpart exists and fails to import, its own error is raised."""
    (tmp_path / "psycopg.py").write_text("import not_installed_at_all")

    done = run("import tilebox.postgres.connection")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'not_installed_at_all'"


def test_an_installed_tilebox_is_not_mixed_in(run: Run, tmp_path: Path) -> None:
    """Where the vendor's package is installed as well, none of its modules is used."""
    (tmp_path / "tilebox" / "workflows").mkdir(parents=True)
    (tmp_path / "tilebox" / "workflows" / "__init__.py").write_text("raise SystemExit('wrong package')")

    done = run("import tilebox.workflows; print(tilebox.workflows.__name__)")

    assert output(done) == ["tilebox_celery.workflows"]


def test_a_script_sees_what_python_would_show_it(run: Run, tmp_path: Path) -> None:
    """Arguments, name, file, search path and neighbours are as with `python script.py`."""
    script = """
        import sys
        print(sys.argv, __name__, __file__, sys.path[0], __package__, sys.modules["__main__"].__dict__ is globals())
        import neighbour
        print(neighbour.__name__, "annotations" in globals())
    """
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "neighbour.py").touch()
    (tmp_path / "folder" / "script.py").write_text(textwrap.dedent(script))
    arguments = ["folder/script.py", "-m", "--flag", "a b"]

    ours = run("", *arguments)
    plain = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert output(ours) == output(plain)


def test_a_module_sees_what_python_would_show_it(run: Run, tmp_path: Path) -> None:
    """`-m package.module` and `-m package` run with relative imports, as with `python -m`."""
    script = """
        import sys
        from . import neighbour
        print(sys.argv, __name__, __file__, sys.path[0], __package__, __spec__.name, neighbour.__name__)
    """
    package = tmp_path / "package"
    package.mkdir()
    for name in ("__init__", "neighbour"):
        (package / f"{name}.py").touch()
    for name in ("__main__", "module"):
        (package / f"{name}.py").write_text(textwrap.dedent(script))

    for target in ("package", "package.module"):
        ours = run("", "-m", target, "-x", "y")
        plain = subprocess.run(
            [sys.executable, "-m", target, "-x", "y"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert output(ours) == output(plain)


def test_main_stays_until_the_end(run: Run) -> None:
    """Exit handlers find the script's own classes, so that they can pickle them; children can import by alias."""
    done = run("""
        import atexit, os, pickle
        class Mine: ...
        atexit.register(lambda: print(type(pickle.loads(pickle.dumps(Mine()))) is Mine))
        child = os.fork()
        if child == 0:
            from tilebox.workflows.cache import NoCache
            os._exit(0 if NoCache.__module__ == "tilebox_celery.caches.none" else 1)
        print(os.waitpid(child, 0)[1])
    """)

    assert output(done) == ["0", "True"]


def test_errors_look_like_the_scripts_own(run: Run, tmp_path: Path) -> None:
    """A script that fails ends with 1 and a traceback that begins in the script; its own exit code is kept."""
    failing = run("def f():\n    raise KeyError('Title')\nf()")
    ending = run("import sys; sys.exit(7)")
    wrong = run("def (:")

    lines = failing.stderr.splitlines()
    assert failing.returncode == 1
    assert lines[:2] == ["Traceback (most recent call last):", f'  File "{tmp_path}/script.py", line 3, in <module>']
    assert lines[-1] == "KeyError: 'Title'"
    assert ending.returncode == 7
    assert wrong.returncode == 1
    assert wrong.stderr.startswith(f'  File "{tmp_path}/script.py", line 1')


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["nowhere.py"], "Cannot open the script 'nowhere.py': No such file or directory."),
        (["."], "Cannot open the script '.': Is a directory."),
        (
            ["-m", "nowhere"],
            "No module named 'nowhere' that can be run: check the name, and run from the folder that holds it.",
        ),
        (
            ["-m", "json"],
            "No module named 'json' that can be run: check the name, and run from the folder that holds it.",
        ),
        (["-m"], "usage: python -m tilebox_celery.compat script.py [arguments]"),
    ],
    ids=str,
)
def test_what_cannot_be_run_is_one_sentence(run: Run, command: list[str], sentence: str) -> None:
    """A script or module that is not there is said in one sentence, with exit code 2."""
    done = run("", *command)

    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == sentence


def test_help_is_help(run: Run) -> None:
    """--help prints how to use the command."""
    done = run("", "--help")

    assert output(done)[0] == "usage: python -m tilebox_celery.compat script.py [arguments]"


def test_the_example_in_the_docstring_runs(run: Run) -> None:
    """The example of install() does what it says."""
    done = run("import doctest, tilebox_celery.compat.aliases as aliases; print(doctest.testmod(aliases))")

    assert output(done) == ["TestResults(failed=0, attempted=4)"]


def test_a_documented_workflow_runs_unchanged(run: Run, ledger_url: str, tmp_path: Path) -> None:
    """A workflow as the documents write it, with subtasks, cache and logging, runs without a change."""
    done = run(
        """
        import json
        from tilebox.workflows import Client, ExecutionContext, Task
        from tilebox.workflows.cache import LocalFileSystemCache
        from tilebox.workflows.observability.logging import configure_console_logging, get_logger

        logger = get_logger()

        class Numbers(Task):
            count: int

            def execute(self, context: ExecutionContext) -> None:
                squares = [context.submit_subtask(Square(i)) for i in range(self.count)]
                context.submit_subtask(Total(), depends_on=squares)

        class Square(Task):
            number: int

            def execute(self, context: ExecutionContext) -> None:
                context.job_cache.group("squares")[str(self.number)] = json.dumps(self.number**2).encode()

        class Total(Task):
            def execute(self, context: ExecutionContext) -> None:
                squares = context.job_cache.group("squares")
                logger.info("total %d", sum(json.loads(squares[key]) for key in squares))

        if __name__ == "__main__":
            configure_console_logging()
            client = Client()
            cluster = client.clusters().create("testing")
            job = client.jobs().submit("squares", Numbers(5), cluster)
            cache = LocalFileSystemCache("cache")
            client.runner(cluster.slug, tasks=[Numbers, Square, Total], cache=cache).run_all()
            print(client.jobs().find(job).state, sorted(cache.group(str(job.id)).group("squares")))
        """
    )

    logged, state = output(done)[-2:]
    assert logged.endswith("Z INFO total 30")
    assert state == "COMPLETED ['0', '1', '2', '3', '4']"
    assert (tmp_path / "cache").is_dir()
