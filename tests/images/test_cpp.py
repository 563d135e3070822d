"""The cpp stack: what is in its image, and a program built in a booted workspace of it."""

from collections.abc import Callable

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.images.conftest import Recipe

PROJECT = """
set -eu
mkdir -p ~/projects/hello && cd ~/projects/hello
cat > CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.28)
project(hello LANGUAGES CXX)
find_package(Threads REQUIRED)
add_executable(hello main.cpp greeting.cpp)
target_compile_features(hello PRIVATE cxx_std_20)
target_compile_options(hello PRIVATE -Wall -Werror)
target_link_libraries(hello PRIVATE Threads::Threads)
EOF
cat > greeting.cpp <<'EOF'
#include <string>
std::string greeting(const std::string& name) { return "hello, " + name; }
EOF
cat > main.cpp <<'EOF'
#include <iostream>
#include <string>
#include <thread>
std::string greeting(const std::string& name);
int main() {
  std::thread([] { std::cout << greeting("workspace") << " of clang " << __clang_major__ << '\\n'; }).join();
}
EOF
"""
BUILD = """
set -eu
cd ~/projects/hello && rm -rf build
cmake -G Ninja -B build -DCMAKE_CXX_COMPILER_LAUNCHER=sccache >/dev/null
cmake --build build >/dev/null
./build/hello
"""
HITS = "sccache --show-stats --stats-format=json | python3 -c '{}'".format(
    'import json, sys; s = json.load(sys.stdin)["stats"]["cache_hits"]["counts"]; print(sum(s.values()))'
)


@pytest.fixture(scope="module")
def cpp(image: Callable[[str], str]) -> str:
    return image("cpp")


@pytest.fixture(scope="module")
def space(cpp: str, spaces: Spaces) -> Workspace:
    return spaces.new("cpp", image=cpp).boot()


def test_llvm_comes_from_its_own_repository(space: Workspace) -> None:
    """Debian has the same version, which apt takes for the newer one."""
    assert "standin" in space.out("dpkg-query -W -f '${Version}' clang-22")
    assert space.out("grep -c '^Enabled: no' /etc/apt/sources.list.d/llvm.sources") == "1"
    assert "URIs: https://apt.llvm.org/trixie/" in space.out("cat /etc/apt/sources.list.d/llvm.sources")


def test_the_second_build_of_a_program_comes_from_the_cache(space: Workspace) -> None:
    space.out(PROJECT)
    first = space.out(BUILD)
    assert first.startswith("hello, workspace of clang ")
    assert space.out(HITS) == "0"
    assert space.out(BUILD) == first
    assert space.out(HITS) == "2"


def test_the_cache_outlives_the_container(space: Workspace) -> None:
    space.stop()
    space.remove()
    space.boot()
    assert space.out("readlink ~/.cache/sccache").startswith("/mnt/home-persist/.workspaces/")
    space.out(BUILD)
    assert space.out(HITS) == "2"


def test_a_sanitizer_names_the_line(space: Workspace) -> None:
    """It needs the run-time library and llvm-symbolizer."""
    space.out(
        "printf 'int main(int c, char**) {\\n  int a[2] = {};\\n  return a[c + 1];\\n}\\n' > /tmp/bad.cpp"
    )
    done = space.sh("cd /tmp && $CXX -g -fsanitize=address,undefined bad.cpp -o bad && ./bad")
    assert done.returncode != 0
    assert "bad.cpp:3" in done.stderr


def test_debian_s_llvm(cpp: str, recipe: Recipe) -> None:
    """Run in the image that has LLVM already: a recipe that runs again does no harm."""
    done = recipe("llvm", cpp, LLVM_SOURCE="debian", then="readlink /usr/local/bin/clang; clang --version")
    assert done.returncode == 0, done.stderr
    assert "/usr/lib/llvm-19/bin/clang\nDebian clang version 19" in done.stdout


def test_another_source_is_refused(image: Callable[[str], str], recipe: Recipe) -> None:
    done = recipe("llvm", image("base"), LLVM_SOURCE="fedora")
    assert (done.returncode, done.stderr.strip()) == (
        1,
        "error: llvm: LLVM_SOURCE is 'fedora'; it may be llvm or debian",
    )


def test_an_index_that_another_key_signed_ends_the_build(image: Callable[[str], str], recipe: Recipe) -> None:
    done = recipe("llvm", image("base"), TOOLS="")
    assert done.returncode == 1
    assert "No good signature from required signer: 6084F3CF814B57C1CF12EFD515CF4D18AF4F7421" in done.stderr
