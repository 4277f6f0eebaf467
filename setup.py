"""Builds the native core; everything else about the package is in setup.cfg."""

from glob import glob

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import setup

# The translation units do not depend on one another.
ParallelCompile("NPY_NUM_BUILD_JOBS", default=2).install()


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
    cmdclass={"build_ext": build_ext},
)
