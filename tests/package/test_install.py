"""docs/install.md: `cmake --install` on a node whose runtime starts plugins meanwhile."""

import pytest
from package.conftest import PLUGINS, PROGRAMS, run

MODES = {"with --prefix": ("lib/cni", lambda top: (("--prefix", top), {})),
         "with DESTDIR": ("/opt/cni/bin", lambda top: ((), {"DESTDIR": str(top)}))}


@pytest.mark.parametrize("directory, mode", MODES.values(), ids=MODES)
def test_plugins_are_replaced_as_whole_files(built, tmp_path, directory, mode):
    """Nobody sees one that is half written, or that is being stripped."""
    place = tmp_path / "top" / directory.lstrip("/")
    (place / ".cnix-install").mkdir(parents=True)
    (place / ".cnix-install/bridge").write_text("left by a run that was killed")
    for name in (*PLUGINS, "portmap"):
        (place / name).write_text(f"the former {name}\n")
    seen, strip = tmp_path / "seen", tmp_path / "strip"
    files = " ".join(str(place / name) for name in PLUGINS)
    strip.write_text(f'#!/bin/sh\ncat {files} >>{seen}\nexec strip "$@"\n')
    strip.chmod(0o755)
    tree = built(f"-DCNIX_PLUGIN_DIR={directory}", f"-DCMAKE_STRIP={strip}")
    options, variables = mode(tmp_path / "top")

    run("cmake", "--install", tree, "--component", "plugins", "--strip", *options, env={"PATH": "/usr/bin:/bin"} | variables)
    assert seen.read_text() == "".join(f"the former {name}\n" for name in PLUGINS) * len((*PLUGINS, *PROGRAMS))
    assert {path.name for path in place.iterdir()} == {*PLUGINS, "portmap"}
    for name in PLUGINS:
        assert run(place / name, "--version").stdout.startswith("CNI ")
        assert (place / name).stat().st_mode & 0o7777 == 0o755
    listed = (tree / "install_manifest_plugins.txt").read_text().splitlines()
    inside = str(place)[len(variables.get("DESTDIR", "")):]
    assert [file for file in listed if "/cni/" in file] == [f"{inside}/{name}" for name in PLUGINS]
