// The extension module: what Python sees is listed in fm_index/_core.pyi.
#include "bind.hpp"

namespace py = pybind11;

PYBIND11_MODULE(_core, module) {
    module.doc() = "Native core of fm_index: integers only, every argument checked.";
    py::register_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const fm::Damaged& error) {
            const py::object damaged = py::module_::import("fm_index.container").attr("ArtefactError");
            PyErr_SetString(damaged.ptr(), (std::string("damaged index: ") + error.what() + ".").c_str());
        }
    });
    fm::bind_bits(module);
    fm::bind_build(module);
    fm::bind_index(module);
    fm::bind_probe(module);
    fm::bind_scorer(module);
    fm::bind_shards(module);
    fm::bind_sort(module);
}
