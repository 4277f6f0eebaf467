"""Builds the native core; everything else about the package is in setup.cfg."""

import shutil
import sys
from glob import glob

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import setup

# The translation units do not depend on one another.
ParallelCompile("NPY_NUM_BUILD_JOBS", default=2).install()

NO_COMPILER = """
genret: building from source needs a C++17 compiler, and {name} is not here.
Install one (Debian, Ubuntu: apt-get install g++ python3-dev; Fedora: dnf install gcc-c++ python3-devel;
Alpine: apk add g++ python3-dev; macOS: xcode-select --install), or name yours in the variable CXX.
Without one, a wheel: pip install --only-binary genret genret
"""


class BuildCore(build_ext):
    """Says what to install where there is no compiler, before anything is compiled."""

    def build_extensions(self):
        name = self.compiler.compiler_so_cxx[0]
        if shutil.which(name) is None:
            sys.exit(NO_COMPILER.format(name=name))
        super().build_extensions()


def extension(package: str) -> Pybind11Extension:
    """The native core of a package, from its folder `csrc`."""
    sources = f"{package}/csrc"
    return Pybind11Extension(
        f"{package}._core",
        sorted(glob(f"{sources}/**/*.cpp", recursive=True)),
        depends=sorted(
            glob(f"{sources}/**/*.hpp", recursive=True) + glob(f"{sources}/**/*.inc", recursive=True)
        ),
        include_dirs=[sources],
        cxx_std=17,
        # One baseline build; the hot loops are compiled a second time for AVX2 and chosen at run time.
        extra_compile_args=["-O3", "-pthread", "-Wall", "-Wextra"],
        extra_link_args=["-pthread"],
    )


setup(
    ext_modules=[extension("docid"), extension("fm_index")],
    cmdclass={"build_ext": BuildCore},
)
