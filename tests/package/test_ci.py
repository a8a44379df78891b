"""docs/continuous-integration.md: what the jobs for GitHub Actions and GitLab run, run here."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from package.conftest import ROOT, run

pytestmark = pytest.mark.xdist_group("ci")  # the job is run once
yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")

PAGE = ROOT / "docs/continuous-integration.md"
GITHUB = yaml.safe_load((ROOT / "docs/examples/ci/github-actions.yml").read_text())
GITLAB = yaml.safe_load((ROOT / "docs/examples/ci/gitlab-ci.yml").read_text())
GITHUB_STEPS = [step["run"] for step in GITHUB["jobs"]["check"]["steps"] if "run" in step]
GITLAB_JOB = GITLAB["network configurations"]
GITLAB_STEPS = [*GITLAB_JOB["before_script"], *GITLAB_JOB["script"]]


@pytest.fixture(scope="module")
def job(tmp_path_factory, staged):
    """Runs a job's steps in a checkout as cnix-new writes it, with a /usr/local and a repository of cnix of the test's own."""
    need = [tool for tool in ("git", "ninja") if not shutil.which(tool)]
    if need:
        pytest.skip(f"not installed: {', '.join(need)}")
    top = tmp_path_factory.mktemp("ci")
    shutil.copytree(ROOT, top / "repository", symlinks=True,
                    ignore=lambda directory, _: (".git", "build") if Path(directory) == ROOT else ("__pycache__",))
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main", "-C", top / "repository")
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "cnix"), ("tag", GITHUB["env"]["CNIX_REVISION"])):
        run(*git, *command)
    (top / "local").mkdir()
    (top / "bin").mkdir()
    (top / "bin/apt-get").write_text(f'#!/bin/sh\necho "$@" >>{top}/apt-get\n')
    (top / "bin/apt-get").chmod(0o755)
    run(staged / "usr/bin/cnix-new", top / "my-bridge")
    environment = {"PATH": f"{top}/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(top), "CMAKE_BUILD_TYPE": "None",
                   "CNIX_REPOSITORY": f"file://{top}/repository", "CNIX_REVISION": GITHUB["env"]["CNIX_REVISION"], "LC_ALL": "C",
                   "CCACHE_BASEDIR": tempfile.gettempdir(), **{key: os.environ[key] for key in ("CCACHE_DIR",) if key in os.environ},
                   **({"CMAKE_CXX_COMPILER_LAUNCHER": "ccache"} if shutil.which("ccache") else {})}

    class Job:
        project, apt = top / "my-bridge", top / "apt-get"

        def run(self, steps: list[str]) -> tuple[int, str]:
            """How many steps passed, and what the last one said. A step is a script of its own, as GitHub runs it."""
            for number, step in enumerate(steps):
                # The shell of both in Debian's image.
                script = f"mount --bind {top}/local /usr/local && cd {self.project} && exec sh -e -c \"$1\""
                done = subprocess.run(("unshare", "--mount", "sh", "-c", script, "sh", step), env=environment, text=True,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=280)
                if done.returncode != 0:
                    return number, done.stdout
            return len(steps), done.stdout

    return Job()


@pytest.fixture(scope="module")
def passed(job):
    """The job with all of GitHub's steps run."""
    steps, said = job.run(GITHUB_STEPS)
    assert steps == len(GITHUB_STEPS), said
    assert said == "net.d/10-my-bridge.conflist: fits my-bridge\n"
    return job


def test_packages_exist(passed):
    """apt-get is not run here; scripts/setup, which is, installs packages of the same names."""
    update, install, *rest = passed.apt.read_text().splitlines()
    assert (update, rest) == ("update", [])
    command, yes, recommends, *packages = install.split()
    assert (command, yes, recommends) == ("install", "--yes", "--no-install-recommends")
    known = re.sub(r"#.*", "", (ROOT / "scripts/setup").read_text())
    for package in packages:
        known_to_setup = re.search(rf"(?<![\w.+-]){re.escape(package)}(?![\w.+-])", known)
        assert known_to_setup or run("apt-cache", "show", package, check=False).returncode == 0, f"there is no package {package}"


def test_gitlab_runs_the_same():
    assert GITLAB["variables"] == GITHUB["env"]
    assert GITLAB_JOB["image"] == GITHUB["jobs"]["check"]["container"] == "debian:12"
    assert "\n".join(GITLAB_STEPS) == "\n".join(step.strip() for step in GITHUB_STEPS)


@pytest.mark.parametrize("steps, named", ((GITHUB_STEPS[2:], True), (GITLAB_STEPS[6:], False)),
                         ids=("a file that CMakeLists.txt names", "another file"))
def test_a_fault_fails_the_job(passed, steps, named):
    """One that is named fails the build; any other is found by the last step."""
    example = passed.project / "net.d/10-my-bridge.conflist"
    good = example.read_text()
    wrong = example if named else passed.project / "net.d/20-more.conflist"
    wrong.write_text(good.replace("ipMasq", "ipMask"))
    try:
        ran, said = passed.run(steps)
    finally:
        wrong.unlink()
        example.write_text(good)
    assert steps[ran].split()[-3:] == (["cmake", "--build", "build"] if named else ["build/my-bridge", "--check", "net.d/*"])
    assert f"net.d/{wrong.name}:9:7: $.plugins[0]: unknown key `ipMask`, did you mean `ipMasq`?" in said


@pytest.mark.parametrize("steps", (GITHUB_STEPS[1:2], GITLAB_STEPS[2:6]), ids=("GitHub", "GitLab"))
def test_cnix_is_installed_again_where_a_runner_kept_it(passed, steps):
    """What an earlier job left beside the checkout neither fails the next nor stays in it."""
    left = passed.project.parent / "cnix-source/left"
    left.write_text("by the job before")
    ran, said = passed.run(steps)
    assert ran == len(steps) and "/usr/local/share/cmake/cnix/cnixConfig.cmake\n" in said, said
    assert not left.exists()


def test_with_a_bundled_plugin(passed, plugins):
    """The page's block for those who have no plugin of their own."""
    (passed.project.parent / "cnix-source/build/release").mkdir()
    (passed.project.parent / "cnix-source/build/release/bin").symlink_to(plugins.directory)
    (block,) = re.findall(r"^<!-- run: bundled -->\n```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    example = passed.project / "net.d/10-my-bridge.conflist"
    good = example.read_text()
    example.write_text(good.replace('"my-bridge"', '"bridge"'))
    try:
        ran, said = passed.run([block])
    finally:
        example.write_text(good)
    assert (ran, said) == (1, "net.d/10-my-bridge.conflist: fits bridge\n")
